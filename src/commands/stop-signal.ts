/** The signals that stop the service. */
import { readFileSync } from 'node:fs'

const codes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const

/**
 * Returns a signal that aborts at the first SIGHUP, SIGINT or SIGTERM. A second one ends the
 * process at once.
 */
export function stopSignal(): AbortSignal {
  const stop = new AbortController()
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) {
    // A process started by `nohup` must outlive its terminal.
    if (signal === 'SIGHUP' && isHangupIgnored()) continue
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(codes[signal])
      stop.abort(signal)
    })
  }
  return stop.signal
}

/** Whether the process was started with SIGHUP ignored. SIGHUP is the lowest bit of the mask. */
function isHangupIgnored(): boolean {
  try {
    const [, mask = '0'] =
      /^SigIgn:\s*([\da-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
    return (BigInt(`0x${mask}`) & 1n) === 1n
  } catch {
    return false
  }
}
