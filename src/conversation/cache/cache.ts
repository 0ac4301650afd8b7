/** Cache keeps the newest messages of conversations: best effort, and never wrong. */
import type { Effect } from '../writing/effects.ts'
import type { CacheRead, Seen } from './entries.ts'
import type { Ready } from './ready-windows.ts'
import type { Window } from './window.ts'

/**
 * Nothing here throws at a caller. The KV below may be away, slow or read-only: then reads answer
 * undefined, and the database is asked instead.
 */
export type Cache = AsyncDisposable & {
  /** Brings the cache up to date after commits. */
  readonly effect: Effect
  /** A window that this process has at hand: worth nothing until its version was asked for. */
  readyWindow(tenant: string, id: string): Ready | undefined
  /** Whether a commit of this process is on its way to the KV. */
  isWriting(tenant: string, id: string): boolean
  /** The version of a full window in the KV, 0 where there is none; undefined where the KV is away. */
  version(tenant: string, id: string): Promise<number | undefined>
  /** The newest `count` messages as far as the window goes; undefined where the KV is away. */
  read(tenant: string, id: string, count: number): Promise<CacheRead | undefined>
  /** The database has erased it: this process keeps nothing of it. */
  forget(tenant: string, id: string): void
  /** Makes a window of a snapshot that was taken after `seen` was read. */
  fill(tenant: string, id: string, seen: Seen, snapshot: Window): Promise<void>
  /** Drops the window, which is above the database's version: nothing of it is believed. */
  distrust(tenant: string, id: string, version: number): Promise<void>
  /** Leaves no message of it; false where the KV did not take that. */
  erase(tenant: string, id: string, version: number): Promise<boolean>
  /** False while the KV answers and refuses writes: then nobody reads it. */
  acceptsWrites(): boolean
}
