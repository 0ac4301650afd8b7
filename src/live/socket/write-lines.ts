/**
 * The writes of one socket, in order by conversation. Turns follow each other without waiting, for
 * the store keeps their order; whatever looks at what was written before it waits. Each is answered
 * after those before it: a replay is known later than a refusal of the same batch.
 */

type Line = { running: number; all: Promise<unknown>; barrier: Promise<unknown> | undefined }

export class WriteLines {
  readonly #lines = new Map<string, Line>()

  /** `isExclusive`: after all writes of the conversation before it, and before all after it. */
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
    // The first must begin at once: what comes next would overtake it otherwise.
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
    // Without its value: each would hold that of the one before.
    line.all = Promise.all([line.all, settled]).then(() => {})
    if (isExclusive) line.barrier = settled
    return answered
  }

  /** Resolves when nothing is in hand any more. */
  async ended(): Promise<void> {
    while (this.#lines.size > 0) await Promise.all([...this.#lines.values()].map(({ all }) => all))
  }
}
