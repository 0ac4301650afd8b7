/**
 * ReadyWindows keeps windows (the newest messages of conversations) in the memory of this process, as
 * bytes that are ready to be sent: decoding fifty values costs more than the round trip for them. A
 * ready window may be outdated, so it is served only after its version was compared.
 */
import { BoundedMap } from '../../mechanics/bounded-map.ts'
import { type CacheUpdate, windowAfter } from './rule.ts'
import { memoryOf, type Window } from './window.ts'

export type ReadyWindow = {
  readonly window: Window
  /**
   * Whether the KV is known to have a window of this version or a newer one. Until then, readers of
   * the KV may see an older one.
   */
  readonly isStored: boolean
}

type KeptWindow = { readonly window: Window; storedVersion: number }

export class ReadyWindows {
  readonly #keptWindows: BoundedMap<string, KeptWindow>

  constructor(bytesMax: number) {
    this.#keptWindows = new BoundedMap({ max: bytesMax, weigh: ({ window }) => memoryOf(window) })
  }

  get(name: string): ReadyWindow | undefined {
    const keptWindow = this.#keptWindows.use(name)
    if (keptWindow === undefined) return undefined
    return {
      window: keptWindow.window,
      isStored: keptWindow.storedVersion >= keptWindow.window.version,
    }
  }

  /** Keeps the window, unless the kept window is newer, or has the same version and as many messages. */
  keep(name: string, window: Window): void {
    const current = this.#keptWindows.get(name)?.window
    const isBetter =
      current === undefined ||
      current.version < window.version ||
      (current.version === window.version && current.from > window.from)
    if (isBetter) this.#put(name, window)
  }

  /** Notes that the KV has a window at this version. */
  markStored(name: string, version: number): void {
    const keptWindow = this.#keptWindows.get(name)
    if (keptWindow !== undefined && keptWindow.storedVersion < version)
      keptWindow.storedVersion = version
  }

  /** Brings the window up to date after a commit of this process. */
  apply(name: string, update: CacheUpdate): void {
    const current = this.#keptWindows.get(name)?.window
    if (current === undefined) return
    const after = windowAfter(current, update)
    if (after !== undefined) this.#put(name, after)
    else if (current.version < update.version) this.drop(name)
  }

  drop(name: string): void {
    this.#keptWindows.delete(name)
  }

  #put(name: string, window: Window): void {
    this.#keptWindows.set(name, {
      window,
      storedVersion: this.#keptWindows.get(name)?.storedVersion ?? 0,
    })
  }
}
