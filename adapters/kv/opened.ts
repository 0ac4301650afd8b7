import type { Kv } from '../../src/ports/kv.ts'

/** A key-value store as it is opened, and what an operator wants to know of it. */
export type OpenedKv = {
  readonly kv: Kv
  /** Where it is, without secrets. */
  readonly name: string
  /** Whether other processes see the same entries. */
  readonly shared: boolean
  /**
   * Writes to every server; rejects with a `KvError` where one refuses that, or none answers. Left out
   * by a store in which a write that somebody needs shows as much.
   */
  readonly probe?: () => Promise<unknown>
  /** Whether calls can be expected to be answered now. */
  ready(): boolean
  /** Whether changes made by other processes are heard now. */
  listening(): boolean
}

/** `message` is one sentence without secrets. */
export type KvEvent = {
  readonly type: KvEventType
  readonly message: string
}

export type KvEventType =
  /** The first failed connect of an outage, and the first connect after it. */
  | 'unreachable'
  | 'reachable'
  /** Changes by others go unheard, and are heard again. */
  | 'hints-lost'
  | 'hints-arrive'
  /** The URL asks for something that the server does not have, such as a database number. */
  | 'mistaken'
  /** The connection that hears changes had stopped without an error, and is made anew; `heard` follows. */
  | 'deaf'

export type OnKvEvent = (event: KvEvent) => void
