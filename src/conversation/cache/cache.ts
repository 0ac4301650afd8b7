/**
 * Cache keeps the newest messages of conversations. It may lose them, but never returns wrong ones.
 */
import type { Effect } from '../writing/effects.ts'
import type { CacheRead, HeadEntry } from './entries.ts'
import type { ReadyWindow } from './ready-windows.ts'
import type { Window } from './window.ts'

/**
 * Nothing here throws. The KV may be away, slow or read-only: reads then return undefined, and the
 * caller reads the database instead.
 */
export type Cache = AsyncDisposable & {
  /** Brings the cache up to date after each commit of this process. */
  readonly effect: Effect
  /**
   * Returns a window that this process keeps in its memory. Compare its version with the database or
   * the KV before you serve it.
   */
  readyWindow(tenant: string, id: string): ReadyWindow | undefined
  /** Whether a commit of this process is being written to the KV. */
  isWriting(tenant: string, id: string): boolean
  /**
   * Returns the version of the conversation's window in the KV: 0 if the KV has no window, undefined
   * if the KV is away.
   */
  version(tenant: string, id: string): Promise<number | undefined>
  /**
   * Returns the newest messages of the window, at most `count`, or a miss. Undefined if the KV is
   * away.
   */
  read(tenant: string, id: string, count: number): Promise<CacheRead | undefined>
  /** Drops what this process keeps of a conversation that the database has erased. */
  forget(tenant: string, id: string): void
  /** Writes a window made of a snapshot that was taken after `headEntry` was read. */
  fill(tenant: string, id: string, headEntry: HeadEntry, snapshot: Window): Promise<void>
  /** Drops a window whose version the database does not have, so that none of it is served. */
  distrust(tenant: string, id: string, version: number): Promise<void>
  /** Deletes the conversation's messages from the cache. Returns false if the KV has not done it. */
  erase(tenant: string, id: string, version: number): Promise<boolean>
  /** False while the KV answers reads but refuses writes. It is then not read either. */
  acceptsWrites(): boolean
}
