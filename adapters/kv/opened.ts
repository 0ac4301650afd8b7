import type { Kv } from '../../src/ports/kv.ts'

/** An opened KV, with its state for the operator. */
export type OpenedKv = {
  readonly kv: Kv
  /** The server or the file, without secrets. */
  readonly name: string
  /** Whether other processes see the same entries. */
  readonly shared: boolean
  /**
   * Writes to every server. Rejects with a `KvError` if one refuses the write, or none answers. A
   * store leaves it out if any ordinary write shows the same.
   */
  readonly probe?: () => Promise<unknown>
  /** Whether the KV is expected to answer calls now. */
  ready(): boolean
  /** Whether this process receives the changes that other processes make. */
  listening(): boolean
}

/** A report of an adapter for the operator. `message` is one sentence without secrets. */
export type KvEvent = {
  readonly type: KvEventType
  readonly message: string
}

export type KvEventType =
  /** The first failed connect of an outage, and the first connect after it. */
  | 'unreachable'
  | 'reachable'
  /** Changes of other processes no longer arrive; they arrive again. */
  | 'hints-lost'
  | 'hints-arrive'
  /** The URL asks for something that the server does not have, such as a database number. */
  | 'mistaken'
  /**
   * The connection that receives changes had stopped without an error and is made again. A
   * `hints-arrive` follows.
   */
  | 'deaf'

export type OnKvEvent = (event: KvEvent) => void
