/**
 * Windows that this process has read or written, as ready bytes: decoding fifty values costs more
 * than the round trip for them. They prove nothing: one is served only after somebody who knows was
 * asked for the version, and it is the window's.
 */
import { type Applied, windowAfter } from './rule.ts'
import { memoryOf, type Window } from './window.ts'

export type Ready = {
  readonly window: Window
  /** Whether the store was seen with a window at this version or past it: until then its readers may see an older one. */
  readonly isStored: boolean
}

export type ReadyWindows = {
  get(name: string): Ready | undefined
  /** Keeps the window, unless it has a newer one. */
  keep(name: string, window: Window): void
  /** The store was seen with a window at this version. */
  stored(name: string, version: number): void
  /** After a commit here. */
  apply(name: string, applied: Applied): void
  drop(name: string): void
}

/** The window that nobody asked for longest goes first. */
export function createReadyWindows(bytesMax: number): ReadyWindows {
  const windows = new Map<string, { window: Window; bytes: number; storedVersion: number }>()
  let bytes = 0

  const drop = (name: string) => {
    bytes -= windows.get(name)?.bytes ?? 0
    windows.delete(name)
  }
  const put = (name: string, window: Window) => {
    const storedVersion = windows.get(name)?.storedVersion ?? 0
    drop(name)
    const size = memoryOf(window)
    if (size > bytesMax) return
    windows.set(name, { window, bytes: size, storedVersion })
    bytes += size
    for (const [oldest] of windows) {
      if (bytes <= bytesMax) return
      drop(oldest)
    }
  }

  return {
    get(name) {
      const found = windows.get(name)
      if (found === undefined) return undefined
      windows.delete(name)
      windows.set(name, found)
      return { window: found.window, isStored: found.storedVersion >= found.window.version }
    },
    keep(name, window) {
      const held = windows.get(name)?.window
      const isBetter =
        held === undefined ||
        held.version < window.version ||
        (held.version === window.version && held.from > window.from)
      if (isBetter) put(name, window)
    },
    stored(name, version) {
      const found = windows.get(name)
      if (found !== undefined && found.storedVersion < version) found.storedVersion = version
    },
    apply(name, applied) {
      const held = windows.get(name)?.window
      if (held === undefined) return
      const after = windowAfter(held, applied)
      if (after !== undefined) put(name, after)
      else if (held.version < applied.version) drop(name)
    },
    drop,
  }
}
