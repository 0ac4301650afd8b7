/**
 * ReadyWindows keeps windows that this process has read or written, as ready bytes: decoding fifty values
 * costs more than the round trip for them. They prove nothing: one is served only after its version was
 * asked for elsewhere.
 */
import { BoundedMap } from '../../mechanics/bounded-map.ts'
import { type Applied, windowAfter } from './rule.ts'
import { memoryOf, type Window } from './window.ts'

export type Ready = {
  readonly window: Window
  /**
   * Whether the KV was seen with a window at this version or past it: until then, readers of the KV may
   * see an older one.
   */
  readonly isStored: boolean
}

type Kept = { readonly window: Window; storedVersion: number }

export class ReadyWindows {
  readonly #kept: BoundedMap<string, Kept>

  constructor(bytesMax: number) {
    this.#kept = new BoundedMap({ max: bytesMax, weigh: ({ window }) => memoryOf(window) })
  }

  get(name: string): Ready | undefined {
    const kept = this.#kept.use(name)
    if (kept === undefined) return undefined
    return { window: kept.window, isStored: kept.storedVersion >= kept.window.version }
  }

  /** Keeps the window, unless a newer one is kept. */
  keep(name: string, window: Window): void {
    const held = this.#kept.get(name)?.window
    const isBetter =
      held === undefined ||
      held.version < window.version ||
      (held.version === window.version && held.from > window.from)
    if (isBetter) this.#put(name, window)
  }

  /** The KV was seen with a window at this version. */
  stored(name: string, version: number): void {
    const kept = this.#kept.get(name)
    if (kept !== undefined && kept.storedVersion < version) kept.storedVersion = version
  }

  /** Brings the window up to date after a commit of this process. */
  apply(name: string, applied: Applied): void {
    const held = this.#kept.get(name)?.window
    if (held === undefined) return
    const after = windowAfter(held, applied)
    if (after !== undefined) this.#put(name, after)
    else if (held.version < applied.version) this.drop(name)
  }

  drop(name: string): void {
    this.#kept.delete(name)
  }

  #put(name: string, window: Window): void {
    this.#kept.set(name, { window, storedVersion: this.#kept.get(name)?.storedVersion ?? 0 })
  }
}
