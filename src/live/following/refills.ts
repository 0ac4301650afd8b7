/**
 * Refills reads the changes of one conversation from the database, one read at a time, for all
 * followers that wait for changes. A read starts at the version of the follower that has waited
 * longest. If other followers wait for slightly older versions, it starts at the oldest of these.
 */
import type { ChangesRead } from '../../conversation/reading/live-reads.ts'
import { equalJitterMs } from '../../mechanics/backoff.ts'

/** A follower that waits for the changes after version `last`. */
export type Waiter = { readonly last: number | undefined }

export type RefillOptions<W extends Waiter> = {
  read(from: number): Promise<ChangesRead>
  /** The newest version that the channel knows: the start of a read that looks for newer ones. */
  head(): number
  /** Whether many followers have just joined. Reads then start a second apart and are shared. */
  crowded(): boolean
  /** Takes the result of a read from version `from`. `before` is the head when the read began. */
  done(read: ChangesRead, from: number, before: number): void
  /**
   * Wakes the followers that waited for a read. They call `need` again if they lack more changes.
   */
  wake(waiters: readonly W[]): void
}

/** The number of versions by which a read may start before the longest-waiting follower's version. */
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

  /** Reads the changes after the follower's version, and wakes it afterwards. */
  need(waiter: W): void {
    this.#waiting.add(waiter)
    this.#pump()
  }

  forget(waiter: W): void {
    this.#waiting.delete(waiter)
  }

  /**
   * Looks for changes that the channel does not know: reads from the head on, although no follower
   * waits. The read also finds out that the conversation was erased, or that the database went back.
   */
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
      // The reader logs the failure. The waiting followers keep waiting for the next read.
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
