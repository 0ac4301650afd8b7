/**
 * Shows the progress of an import or export: a bar on a terminal, otherwise a line every 5 seconds.
 */
import { MultiBar, type SingleBar } from 'cli-progress'

export type Progress = {
  /** `share` is the part that is done, from 0 to 1. It is undefined if the total is not known. */
  update(share: number | undefined, text: string): void
  /** Writes a line that later progress does not overwrite. */
  say(line: string): void
  /** Removes the bar and restores the terminal. */
  stop(): void
}

export type ProgressStream = NodeJS.WritableStream & { readonly isTTY?: boolean }

const lineEveryMs = 5000
const signals = ['SIGINT', 'SIGTERM'] as const

/** `silent` leaves out the progress; lines of `say` are still written. */
export function createProgress(
  stream: ProgressStream,
  { silent = false }: { readonly silent?: boolean } = {},
): Progress {
  if (silent) return { ...linesOn(stream), update: () => {} }
  return stream.isTTY === true ? barOn(stream) : linesOn(stream)
}

function barOn(stream: ProgressStream): Progress {
  const format = ' {bar} {percentage}%  {text}'
  const bars = new MultiBar({
    stream,
    format,
    hideCursor: true,
    clearOnComplete: true,
    barsize: 30,
  })
  let bar: SingleBar | undefined
  // Restores the terminal, then ends the process by the same signal.
  const onSignal = (signal: NodeJS.Signals) => {
    stop()
    process.kill(process.pid, signal)
  }
  const stop = () => {
    for (const signal of signals) process.off(signal, onSignal)
    bars.update()
    bars.stop()
  }
  const start = (share: number | undefined, payload: object) => {
    for (const signal of signals) process.on(signal, onSignal)
    return bars.create(1000, 0, payload, share === undefined ? { format: ' {text}' } : {})
  }
  return {
    update(share, text) {
      bar ??= start(share, { text })
      bar.update(Math.floor((share ?? 0) * 1000), { text })
    },
    say(line) {
      if (bar === undefined) stream.write(`${line}\n`)
      else bars.log(`${line}\n`)
    },
    stop,
  }
}

function linesOn(stream: ProgressStream): Progress {
  let last = performance.now()
  return {
    update(share, text) {
      if (performance.now() - last < lineEveryMs) return
      last = performance.now()
      stream.write(`${share === undefined ? '' : `${Math.floor(share * 100)}%  `}${text}\n`)
    },
    say: (line) => void stream.write(`${line}\n`),
    stop: () => {},
  }
}
