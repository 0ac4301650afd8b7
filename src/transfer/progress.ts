/**
 * Shows the progress of an import or export: a bar on a terminal, otherwise a line every 5 seconds.
 */
import { MultiBar, type SingleBar } from 'cli-progress'
import { Pace, paceText } from './pace.ts'

export type ProgressState = {
  /** The part that is done, from 0 to 1. It is undefined if the total is not known. */
  readonly share: number | undefined
  readonly text: string
  /** The number of things that are done, from which their rate follows. */
  readonly done: number
  /** The noun for these things, such as `turns`. */
  readonly what: string
}

export type Progress = {
  update(state: ProgressState): void
  /** Writes a line that later progress does not overwrite. */
  say(line: string): void
  /** Removes the bar and restores the terminal. */
  stop(): void
}

export type ProgressStream = NodeJS.WritableStream & { readonly isTTY?: boolean }

const lineEveryMs = 5000
const signals = ['SIGINT', 'SIGTERM'] as const

/**
 * `silent` leaves out the progress; lines of `say` are still written. `now` is a monotonic clock in
 * milliseconds.
 */
export function createProgress(
  stream: ProgressStream,
  {
    silent = false,
    now = () => performance.now(),
  }: { readonly silent?: boolean; readonly now?: () => number } = {},
): Progress {
  if (silent) return { ...linesOn(stream, now), update: () => {} }
  return stream.isTTY === true ? barOn(stream, now) : linesOn(stream, now)
}

/** Makes the function that adds the pace to the text of each state. */
function pacedText(now: () => number): (state: ProgressState) => string {
  const pace = new Pace()
  return ({ share, text, done, what }) => {
    const shown = pace.at(now(), share, done)
    return shown === undefined ? text : `${text}, ${paceText(shown, what)}`
  }
}

function barOn(stream: ProgressStream, now: () => number): Progress {
  const format = ' {bar} {percentage}%  {text}'
  const bars = new MultiBar({
    stream,
    format,
    hideCursor: true,
    clearOnComplete: true,
    barsize: 30,
  })
  const textOf = pacedText(now)
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
    update(state) {
      const text = textOf(state)
      bar ??= start(state.share, { text })
      bar.update(Math.floor((state.share ?? 0) * 1000), { text })
    },
    say(line) {
      if (bar === undefined) stream.write(`${line}\n`)
      else bars.log(`${line}\n`)
    },
    stop,
  }
}

function linesOn(stream: ProgressStream, now: () => number): Progress {
  const textOf = pacedText(now)
  let last = now()
  return {
    update(state) {
      const text = textOf(state)
      if (now() - last < lineEveryMs) return
      last = now()
      const { share } = state
      stream.write(`${share === undefined ? '' : `${Math.floor(share * 100)}%  `}${text}\n`)
    },
    say: (line) => void stream.write(`${line}\n`),
    stop: () => {},
  }
}
