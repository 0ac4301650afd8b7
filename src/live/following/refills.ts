/**
 * Refills reads the changes of one conversation, one read at a time, for all followers that wait. A
 * read starts at the version of the follower that has waited longest, or a little before, for
 * others.
 */
import type { ChangesRead } from '../../conversation/reading/live-reads.ts'
import { equalJitterMs } from '../../mechanics/backoff.ts'

/** A follower that waits for the changes after version `last`. */
export type Waiter = { readonly last: number | undefined }

export type RefillOptions<W extends Waiter> = {
  read(from: number): Promise<ChangesRead>
  /** The channel's head: the start of a read that looks for a newer version. */
  head(): number
  /** Whether a crowd has joined. Reads then start a second apart, so that the crowd shares them. */
  crowded(): boolean
  /** Takes the result of a read from version `from`. `before` is the head when the read began. */
  done(read: ChangesRead, from: number, before: number): void
  /**
   * Wakes the followers after a read, also a failed one. They call `need` again if they lack more.
   */
  wake(waiters: readonly W[]): void
}

/** How many versions before the follower that has waited longest a read may start. */
const lookBackVersions = 100

/** Milliseconds between the starts of two reads for a crowd. */
const crowdedMs = 1000
const retryDelays = { firstMs: 200, maxMs: 2000 }

export class Refills<W extends Waiter> {
  readonly #options: RefillOptions<W>
  #waiting = new Set<W>()
  #isProbing = false
  #isReading = false
  #isClosed = false
  #startedAt = Number.NEGATIVE_INFINITY
  #failures = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(options: RefillOptions<W>) {
    this.#options = options
  }

  /** Reads for the follower, and wakes it afterwards. */
  need(waiter: W): void {
    this.#waiting.add(waiter)
    this.#pump()
  }

  forget(waiter: W): void {
    this.#waiting.delete(waiter)
  }

  /** Looks for changes past the head. */
  probe(): void {
    this.#isProbing = true
    this.#pump()
  }

  close(): void {
    this.#isClosed = true
    this.#waiting.clear()
    clearTimeout(this.#timer)
  }

  #pump(): void {
    if (this.#isReading || this.#isClosed || this.#timer !== undefined) return
    if (!this.#isProbing && this.#waiting.size === 0) return
    const waitMs = this.#options.crowded() ? this.#startedAt + crowdedMs - performance.now() : 0
    if (waitMs > 0) this.#later(waitMs)
    else void this.#run()
  }

  #later(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#pump()
    }, ms)
  }

  async #run(): Promise<void> {
    this.#isReading = true
    this.#startedAt = performance.now()
    const before = this.#options.head()
    const from = this.#start()
    let waiters: W[] = []
    try {
      const read = await this.#options.read(from)
      this.#failures = 0
      waiters = [...this.#waiting]
      this.#waiting.clear()
      if (!this.#isClosed) this.#options.done(read, from, before)
    } catch {
      // The reader logs the failure. Followers get only what was read.
      this.#isProbing = true
      if (!this.#isClosed) this.#later(equalJitterMs(retryDelays, this.#failures))
      this.#failures += 1
    }
    this.#isReading = false
    if (!this.#isClosed) this.#options.wake(waiters)
    this.#pump()
  }

  #start(): number {
    const lasts = [...this.#waiting].flatMap(({ last }) => (last === undefined ? [] : [last]))
    const [oldest] = lasts
    // A read from the head comes first, because it is short.
    if (this.#isProbing || oldest === undefined) {
      this.#isProbing = false
      return this.#options.head()
    }
    return lasts.reduce(
      (low, last) => (last < low && last >= oldest - lookBackVersions ? last : low),
      oldest,
    )
  }
}
