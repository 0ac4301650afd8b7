/**
 * A deadline for each of many calls, with one timer for all: the same for each, so they end in order.
 * It also tells when whoever is called has fallen silent. Then nothing more must be sent: a socket's
 * own time-out counts what is written as a sign of life, and would never end a dead connection.
 */

export type Deadlines = {
  /**
   * Settles as `work` does, or rejects with `late()` after the deadline, or with `close`'s error.
   * `bytes` are held until it is answered.
   */
  within<T>(work: Promise<T>, bytes: number): Promise<T>
  /** Calls that have not been answered, be they late or not, and their bytes. */
  outstanding(): { readonly calls: number; readonly bytes: number }
  /** Whether a call was late, and nothing has been answered since it began. */
  silent(): boolean
  /** A new connection: what was before says nothing of it. */
  renew(): void
  close(error: Error): void
}

type Waiting = { readonly sentAt: number; readonly bytes: number; reject(error: Error): void }

export function createDeadlines(deadlineMs: number, late: () => Error): Deadlines {
  const waiting = new Set<Waiting>()
  const outstanding = { calls: 0, bytes: 0 }
  let answeredAt = 0
  let isSilent = false
  let timer: ReturnType<typeof setTimeout> | undefined

  const tick = () => {
    const now = performance.now()
    timer = undefined
    for (const call of waiting) {
      const leftMs = call.sentAt + deadlineMs - now
      if (leftMs > 0) {
        timer = setTimeout(tick, leftMs)
        return
      }
      waiting.delete(call)
      if (call.sentAt > answeredAt) isSilent = true
      call.reject(late())
    }
  }
  const onAnswer = (call: Waiting) => {
    outstanding.calls -= 1
    outstanding.bytes -= call.bytes
    waiting.delete(call)
    answeredAt = performance.now()
    isSilent = false
  }

  return {
    within: (work, bytes) =>
      new Promise((resolve, reject) => {
        const call: Waiting = { sentAt: performance.now(), bytes, reject }
        waiting.add(call)
        outstanding.calls += 1
        outstanding.bytes += bytes
        timer ??= setTimeout(tick, deadlineMs)
        work.then(
          (value) => {
            onAnswer(call)
            resolve(value)
          },
          (thrown) => {
            onAnswer(call)
            reject(thrown)
          },
        )
      }),
    outstanding: () => outstanding,
    silent: () => isSilent,
    renew() {
      isSilent = false
    },
    close(error) {
      clearTimeout(timer)
      for (const call of waiting) call.reject(error)
      waiting.clear()
    },
  }
}
