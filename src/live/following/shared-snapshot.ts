/**
 * SharedSnapshot reads the newest messages of a conversation once for all callers within a second.
 */
import type { SnapshotRead } from '../../conversation/reading/live-reads.ts'

/** Milliseconds for which callers share a snapshot. */
const sharedMs = 1000

export class SharedSnapshot {
  readonly #read: (last: number) => Promise<SnapshotRead>
  #shared: { readonly last: number; readonly at: number; read: Promise<SnapshotRead> } | undefined

  constructor(read: (last: number) => Promise<SnapshotRead>) {
    this.#read = read
  }

  /**
   * A snapshot of at most a second ago with at least the newest `last` messages. Changes committed
   * since then are delivered as changes.
   */
  async take(last: number): Promise<SnapshotRead> {
    const now = performance.now()
    let shared = this.#shared
    if (shared === undefined || shared.last < last || now - shared.at > sharedMs) {
      shared = { last, at: now, read: this.#read(last) }
      this.#shared = shared
    }
    try {
      return await shared.read
    } catch (thrown) {
      if (this.#shared === shared) this.#shared = undefined
      throw thrown
    }
  }

  clear(): void {
    this.#shared = undefined
  }

  tick(now: number): void {
    if (this.#shared !== undefined && now - this.#shared.at > sharedMs) this.clear()
  }
}
