/**
 * Batcher answers many questions of one kind with one call. Questions that are asked close to each
 * other form a batch, and a batch is one call. Questions that are asked while all allowed calls are
 * in flight join the next batch.
 */

export type BatcherOptions<Question, Answer> = {
  /**
   * Answers a batch, in the order of its questions. A rejection fails the questions of this batch
   * only.
   */
  ask(questions: readonly Question[]): Promise<readonly Answer[]>
  /** Names a question. Questions of the same name in one batch are asked once and share the answer. */
  nameOf(question: Question): string
  /** The maximum number of questions in one batch. */
  readonly batchMax: number
  /** The maximum number of batches in flight. */
  readonly maxInFlight: number
  /** The limit of batches in flight that applies if the next batch is full. @default maxInFlight */
  readonly maxFullInFlight?: number
  /**
   * Milliseconds that a batch must be in flight before a second one that is not full is sent. Fewer
   * and larger batches cost less when many callers ask at once. @default 0
   */
  readonly lingerMs?: number
  /**
   * The maximum number of rounds (passes of the event loop) in which questions are gathered.
   * Gathering ends with the first round that brings no new question. So a lone question waits for
   * one round. The questions of many requests become one batch, although Bun reads only a few
   * requests a round. @default 10
   */
  readonly roundsMax?: number
}

type Pending<Question, Answer> = {
  readonly question: Question
  readonly answer: Promise<Answer>
  resolve(answer: Answer): void
  reject(thrown: unknown): void
}

export class Batcher<Question, Answer> {
  readonly #options: BatcherOptions<Question, Answer>
  readonly #maxFullInFlight: number
  readonly #lingerMs: number
  readonly #roundsMax: number
  #waiting = new Map<string, Pending<Question, Answer>>()
  #inFlight = 0
  /** `performance.now()` when the newest batch was sent. */
  #sentAt = 0
  #isGathering = false
  /** The number of questions that waited at the end of the last round. */
  #gathered = 0
  /** The number of rounds since gathering began. */
  #rounds = 0
  #isLingering = false

  constructor(options: BatcherOptions<Question, Answer>) {
    this.#options = options
    this.#maxFullInFlight = options.maxFullInFlight ?? options.maxInFlight
    this.#lingerMs = options.lingerMs ?? 0
    this.#roundsMax = options.roundsMax ?? 10
  }

  /**
   * Asks one question with the next batch.
   * @returns The answer. It is never older than this call.
   * @throws The error of the batch's `ask`; a `RangeError` if it returned too few answers.
   */
  ask(question: Question): Promise<Answer> {
    const name = this.#options.nameOf(question)
    const found = this.#waiting.get(name)
    if (found !== undefined) return found.answer
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    this.#waiting.set(name, { question, answer: promise, resolve, reject })
    this.#gather()
    return promise
  }

  #gather(): void {
    if (this.#isGathering || !this.#hasRoom()) return
    this.#isGathering = true
    this.#gathered = this.#waiting.size
    this.#rounds = 1
    setImmediate(this.#endRound)
  }

  readonly #endRound = (): void => {
    const { size } = this.#waiting
    const isOver = size <= this.#gathered || size >= this.#options.batchMax
    if (!isOver && this.#rounds < this.#roundsMax) {
      this.#gathered = size
      this.#rounds += 1
      setImmediate(this.#endRound)
      return
    }
    this.#isGathering = false
    while (this.#maySend()) void this.#send()
  }

  #hasRoom(): boolean {
    return this.#inFlight < Math.max(this.#options.maxInFlight, this.#maxFullInFlight)
  }

  #maySend(): boolean {
    const { size } = this.#waiting
    if (size === 0) return false
    if (size >= this.#options.batchMax) return this.#inFlight < this.#maxFullInFlight
    if (this.#inFlight >= this.#options.maxInFlight) return false
    if (this.#inFlight === 0 || performance.now() - this.#sentAt >= this.#lingerMs) return true
    this.#linger()
    return false
  }

  /**
   * Gathers again after the whole `lingerMs`, counted from now and not from the last batch. A batch
   * that becomes full or an answer that arrives before then does not wait for it.
   */
  #linger(): void {
    if (this.#isLingering) return
    this.#isLingering = true
    setTimeout(() => {
      this.#isLingering = false
      if (this.#waiting.size > 0) this.#gather()
    }, this.#lingerMs)
  }

  async #send(): Promise<void> {
    const batch = this.#take()
    this.#inFlight += 1
    this.#sentAt = performance.now()
    try {
      const answers = await this.#options.ask(batch.map(({ question }) => question))
      for (const [index, answer] of answers.entries()) batch[index]?.resolve(answer)
      for (const { reject } of batch.slice(answers.length))
        reject(new RangeError('The batch has fewer answers than questions'))
    } catch (thrown) {
      for (const { reject } of batch) reject(thrown)
    } finally {
      this.#inFlight -= 1
      if (this.#waiting.size > 0) this.#gather()
    }
  }

  /** Removes the next batch from the waiting questions: those that were asked first. */
  #take(): Pending<Question, Answer>[] {
    const { batchMax } = this.#options
    if (this.#waiting.size <= batchMax) {
      const all = [...this.#waiting.values()]
      this.#waiting = new Map()
      return all
    }
    const batch: Pending<Question, Answer>[] = []
    for (const [name, pending] of this.#waiting) {
      if (batch.length === batchMax) break
      batch.push(pending)
      this.#waiting.delete(name)
    }
    return batch
  }
}
