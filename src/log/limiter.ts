/**
 * Limits the lines of one key in a time window. After the window, the number of left-out lines is
 * reported.
 */

export type Limit = {
  /** The maximum number of lines of one key in a window. */
  readonly lines: number
  readonly windowMs: number
}

export type Limiter = {
  /**
   * Whether this line may be written. If the window refused lines, `reportLeftOut` is called once
   * after it with their number, even if no further line follows.
   */
  admit(key: string, limit: Limit, reportLeftOut: (lines: number) => void): boolean
  /** Ends every window now. */
  flush(): void
}

type Window = {
  readonly endsAt: number
  readonly timer: ReturnType<typeof setTimeout>
  lines: number
  leftOut: number
  reportLeftOut(lines: number): void
}

/** Makes a limiter without windows. */
export function createLimiter(): Limiter {
  // The timer of each window deletes it, so invented keys do not fill the memory.
  const windows = new Map<string, Window>()

  const end = (key: string, window: Window) => {
    clearTimeout(window.timer)
    windows.delete(key)
    if (window.leftOut > 0) window.reportLeftOut(window.leftOut)
  }
  const begin = (key: string, { windowMs }: Limit, reportLeftOut: Window['reportLeftOut']) => {
    const timer = setTimeout(() => end(key, window), windowMs)
    // The timer must not keep the process alive: `flush` reports the count before the end.
    if (typeof timer === 'object') timer.unref()
    const endsAt = performance.now() + windowMs
    const window: Window = { endsAt, timer, lines: 0, leftOut: 0, reportLeftOut }
    windows.set(key, window)
    return window
  }

  return {
    admit(key, limit, reportLeftOut) {
      let window = windows.get(key)
      // In a busy process the timer may be late.
      if (window !== undefined && performance.now() >= window.endsAt) {
        end(key, window)
        window = undefined
      }
      window ??= begin(key, limit, reportLeftOut)
      if (window.lines < limit.lines) {
        window.lines += 1
        return true
      }
      window.leftOut += 1
      return false
    },
    flush() {
      for (const [key, window] of [...windows]) end(key, window)
    },
  }
}
