/**
 * A deadline for each of many calls, with one timer for all: the same for each, so they end in order.
 * It also tells when whoever is called has fallen silent: what is sent to it then only collects.
 * Time in which this process was stalled does not count.
 */
import { deadline, usableNow } from '../../src/mechanics/loop-delay.ts'

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
  let stop: (() => void) | undefined

  /** Of all waiting calls, the oldest is due first. */
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
