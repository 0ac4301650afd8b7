/** A deadline for each of many calls, with one timer for all: the same for each, so they end in order. */

export type Deadlines = {
  /** Settles as `work` does, or rejects with `late()` after the deadline, or with `close`'s error. */
  within<T>(work: Promise<T>): Promise<T>
  /** Calls that have not been answered, be they late or not. */
  outstanding(): number
  close(error: Error): void
}

type Waiting = { readonly dueAt: number; reject(error: Error): void }

export function createDeadlines(deadlineMs: number, late: () => Error): Deadlines {
  const waiting = new Set<Waiting>()
  let outstanding = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  const tick = () => {
    const now = performance.now()
    timer = undefined
    for (const call of waiting) {
      if (call.dueAt > now) {
        timer = setTimeout(tick, call.dueAt - now)
        return
      }
      waiting.delete(call)
      call.reject(late())
    }
  }

  return {
    within: (work) =>
      new Promise((resolve, reject) => {
        const call: Waiting = { dueAt: performance.now() + deadlineMs, reject }
        waiting.add(call)
        outstanding += 1
        timer ??= setTimeout(tick, deadlineMs)
        work.then(
          (value) => {
            outstanding -= 1
            waiting.delete(call)
            resolve(value)
          },
          (thrown) => {
            outstanding -= 1
            waiting.delete(call)
            reject(thrown)
          },
        )
      }),
    outstanding: () => outstanding,
    close(error) {
      clearTimeout(timer)
      for (const call of waiting) call.reject(error)
      waiting.clear()
    },
  }
}
