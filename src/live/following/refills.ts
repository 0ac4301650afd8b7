/**
 * The reads of one conversation's changes: one at a time, shared by all who wait. Each starts where
 * the one that has waited longest stands, or a little before, where others stand.
 */
import type { ChangesRead } from '../../conversation/reading/live-reads.ts'
import { equalJitterMs } from '../../mechanics/backoff.ts'

/** Who waits for changes after `last`. */
export type Waiter = { readonly last: number | undefined }

export type RefillOptions<W extends Waiter> = {
  read(from: number): Promise<ChangesRead>
  /** Where those stand who wait for nothing old. */
  head(): number
  /** Whether so many come at once that they must share: then reads start a second apart. */
  crowded(): boolean
  /** `before`: the head when it was asked for. */
  done(read: ChangesRead, from: number, before: number): void
  /** A read failed, or has brought what it could: those who waited ask again if they still need to. */
  wake(waiters: readonly W[]): void
}

/** How far before the one that waited longest a read may start, in versions. */
const lookBackVersions = 100

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

  /** Wakes the waiter once something was read that may help it. */
  need(waiter: W): void {
    this.#waiting.add(waiter)
    this.#pump()
  }

  forget(waiter: W): void {
    this.#waiting.delete(waiter)
  }

  /** Looks whether something lies beyond the head. */
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
    // Those who stand at the head come first: theirs is one short read.
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
