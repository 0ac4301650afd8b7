/** Watches: streams that emit entries when a store reports changes of them. */
import { KvError } from '../../src/ports/kv.ts'
import type { KvStore, Stored } from './kv-store.ts'

/** Milliseconds after a failed read until the next one, unless a change is reported earlier. */
const retryMs = 250
/** The most reads of watches at a time: after an outage, thousands of watches want to read. */
const readsMax = 16

type Entries = readonly (Stored | undefined)[]

export type Watches = {
  open<Row>(keys: readonly string[], rowOf: (entries: Entries) => Row): ReadableStream<Row>
  /** Ends all watches. */
  close(): void
}

type Shared = {
  readonly store: KvStore
  readonly open: Set<{ close(): void }>
  read(keys: readonly string[]): Promise<Entries>
}

export function createWatches(store: KvStore): Watches {
  const turns: (() => void)[] = []
  let reading = 0
  const shared: Shared = {
    store,
    open: new Set(),
    async read(keys) {
      if (reading >= readsMax) await new Promise<void>((resolve) => turns.push(resolve))
      else reading += 1
      try {
        return await store.read(keys)
      } finally {
        const next = turns.shift()
        if (next === undefined) reading -= 1
        else next()
      }
    },
  }
  return {
    open: (keys, rowOf) =>
      new ReadableStream(new Source(shared, keys, rowOf), { highWaterMark: 0 }),
    close() {
      for (const source of [...shared.open]) source.close()
    },
  }
}

/**
 * Source is the stream of one watch. It runs no code while nothing changes: there are thousands of
 * watches, and a waiting async function for each would be expensive.
 */
class Source<Row> implements UnderlyingDefaultSource<Row> {
  readonly #shared: Shared
  readonly #keys: readonly string[]
  readonly #rowOf: (entries: Entries) => Row
  #controller: ReadableStreamDefaultController<Row> | undefined
  #unlisten: (() => void) | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  /** The versionstamps of the entries that were emitted last. */
  #shown: string | undefined
  /** The consumer waits for entries that differ from those shown. */
  #isAsked = false
  /** The entries may have changed since the last read. */
  #isDirty = false
  #isReading = false
  #isOver = false

  constructor(shared: Shared, keys: readonly string[], rowOf: (entries: Entries) => Row) {
    this.#shared = shared
    this.#keys = keys
    this.#rowOf = rowOf
  }

  start(controller: ReadableStreamDefaultController<Row>): void {
    this.#controller = controller
    this.#shared.open.add(this)
    this.#unlisten = this.#shared.store.listen(this.#keys, () => {
      this.#isDirty = true
      // A reported change is read at once, also during the wait after a failed read.
      this.#stopWaiting()
      this.#look()
    })
  }

  pull(): void {
    this.#isAsked = true
    this.#look()
  }

  cancel(): void {
    this.#isOver = true
    this.#shared.open.delete(this)
    this.#stopWaiting()
    this.#unlisten?.()
  }

  close(): void {
    this.cancel()
    this.#controller?.close()
  }

  #look(): void {
    const isIdle = !this.#isReading && this.#timer === undefined && !this.#isOver
    if (isIdle && this.#isAsked && this.#isDirty) void this.#run()
  }

  async #run(): Promise<void> {
    this.#isReading = true
    this.#isDirty = false
    try {
      const entries = await this.#shared.read(this.#keys)
      if (!this.#isOver) this.#show(entries)
    } catch (thrown) {
      if (!this.#isOver) this.#failed(thrown)
    }
    this.#isReading = false
    this.#look()
  }

  #show(entries: Entries): void {
    const now = entries.map((entry) => entry?.versionstamp ?? '-').join()
    if (now === this.#shown) return
    this.#shown = now
    this.#isAsked = false
    this.#controller?.enqueue(this.#rowOf(entries))
  }

  /** Retries later if the store is away. Any other error ends the stream. */
  #failed(thrown: unknown): void {
    if (!(thrown instanceof KvError)) {
      this.cancel()
      this.#controller?.error(thrown)
      return
    }
    if (this.#isDirty) return
    this.#isDirty = true
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#look()
    }, retryMs)
  }

  #stopWaiting(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
