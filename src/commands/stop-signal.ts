/** The signals that stop the service. */
import { readFileSync } from 'node:fs'

const codes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const

/** Aborts at the first signal; the second, of whichever kind, ends the process at once. */
export function stopSignal(): AbortSignal {
  const stop = new AbortController()
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) {
    // `nohup` asks for a service that outlives its terminal.
    if (signal === 'SIGHUP' && isHangupIgnored()) continue
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(codes[signal])
      stop.abort(signal)
    })
  }
  return stop.signal
}

/** Whether whoever started the process had it ignore SIGHUP, the first of the signals. */
function isHangupIgnored(): boolean {
  try {
    const [, mask = '0'] =
      /^SigIgn:\s*([\da-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
    return (BigInt(`0x${mask}`) & 1n) === 1n
  } catch {
    return false
  }
}
