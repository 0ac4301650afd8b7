/**
 * Deadlines for many calls of one server, with one timer. All calls have the same deadline, so they
 * end in the order in which they began. `silent` reports a server that no longer answers: further
 * calls of it would only pile up. Time in which this process was stalled does not count.
 */
import { deadline, usableNow } from '../../src/mechanics/loop-delay.ts'

export type Deadlines = {
  /**
   * Settles as `work` does. It rejects with `late()` after the deadline, and with the error of
   * `close`.
   * @param bytes The size of the call. It counts as outstanding until the call is answered.
   */
  within<T>(work: Promise<T>, bytes: number): Promise<T>
  /** The number of unanswered calls, including late ones, and their bytes. */
  outstanding(): { readonly calls: number; readonly bytes: number }
  /** Whether a call was late and no call was answered since it began. */
  silent(): boolean
  /** Forgets the silence, because there is a new connection. */
  renew(): void
  /** Rejects all calls with `error`. */
  close(error: Error): void
}

type Waiting = { readonly sentAt: number; readonly bytes: number; reject(error: Error): void }

/** @param late Makes the error of a call whose deadline passed. */
export function createDeadlines(deadlineMs: number, late: () => Error): Deadlines {
  const waiting = new Set<Waiting>()
  const outstanding = { calls: 0, bytes: 0 }
  let answeredAt = 0
  let isSilent = false
  let stop: (() => void) | undefined

  /** Starts the timer for the oldest of the waiting calls, which is due first. */
  const start = () => {
    const [oldest] = waiting
    if (oldest === undefined) return
    const leftMs = Math.max(0, oldest.sentAt + deadlineMs - usableNow())
    stop = deadline(leftMs, () => onDue(oldest.sentAt))
  }
  const onDue = (sentAt: number) => {
    stop = undefined
    const dueAt = Math.max(sentAt, usableNow() - deadlineMs)
    for (const call of waiting) {
      if (call.sentAt > dueAt) break
      waiting.delete(call)
      if (call.sentAt > answeredAt) isSilent = true
      call.reject(late())
    }
    start()
  }
  const onAnswer = (call: Waiting) => {
    outstanding.calls -= 1
    outstanding.bytes -= call.bytes
    waiting.delete(call)
    answeredAt = usableNow()
    isSilent = false
    if (waiting.size > 0) return
    stop?.()
    stop = undefined
  }

  return {
    within: (work, bytes) =>
      new Promise((resolve, reject) => {
        const call: Waiting = { sentAt: usableNow(), bytes, reject }
        waiting.add(call)
        outstanding.calls += 1
        outstanding.bytes += bytes
        if (stop === undefined) start()
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
      stop?.()
      stop = undefined
      for (const call of waiting) call.reject(error)
      waiting.clear()
    },
  }
}
