/**
 * WriteLines keeps the writes that one socket sends for a conversation in order. Turns start without
 * waiting, because the store keeps their order. An exclusive write, which depends on earlier rows,
 * waits for all earlier writes. Answers are sent in the order of the writes, although the store may
 * know the outcome of a later write first.
 */

/** The pending writes of one conversation. `barrier` is the last exclusive one. */
type Line = { running: number; all: Promise<unknown>; barrier: Promise<unknown> | undefined }

export class WriteLines {
  readonly #lines = new Map<string, Line>()

  /**
   * Starts a write, and calls `answer` after the answers to all earlier writes. Fails as the write
   * does. An exclusive write runs after all earlier writes of the conversation and before all later
   * ones.
   */
  run<T>(
    conversationId: string,
    isExclusive: boolean,
    write: () => Promise<T>,
    answer: (written: T) => void,
  ): Promise<void> {
    const found = this.#lines.get(conversationId)
    const line = found ?? { running: 0, all: Promise.resolve(), barrier: undefined }
    this.#lines.set(conversationId, line)
    line.running += 1
    const before = isExclusive && line.running > 1 ? line.all : line.barrier
    // The first write starts at once. Otherwise the next one would overtake it.
    const running = before === undefined ? write() : before.then(write)
    const written = Promise.allSettled([running])
    const answered = line.all
      .then(() => written)
      .then(() => running)
      .then(answer)
    const settled = answered
      .catch(() => {})
      .then(() => {
        line.running -= 1
        if (line.running === 0) this.#lines.delete(conversationId)
      })
    // Otherwise each promise would keep the value of the promise before it in memory.
    line.all = Promise.all([line.all, settled]).then(() => {})
    if (isExclusive) line.barrier = settled
    return answered
  }

  /** Resolves when no write is pending. */
  async ended(): Promise<void> {
    while (this.#lines.size > 0) await Promise.all([...this.#lines.values()].map(({ all }) => all))
  }
}
