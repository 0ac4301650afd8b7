/** The events of a followed conversation, and where following may start. */
import type { Change } from '../../conversation/wire/schemas.ts'
import type { Role } from '../wire/client-frames.ts'

/**
 * An event of `live()`.
 *
 * - `change`: upsert its messages and segments by id, then store `cursor` and `version`. If `snapshot` is true, drop
 *   the stored state of the conversation first.
 * - `live`: you have every change committed so far. It is repeated after each reconnect.
 * - `partial`: the text so far of a message that is not recorded yet. An empty text removes it.
 * - `reset`: the stored state is void, and the iteration ends. Read the conversation again from the start.
 */
export type LiveEvent =
  | ({ readonly type: 'change'; readonly snapshot: boolean } & Change)
  | { readonly type: 'live'; readonly version: number }
  | { readonly type: 'partial'; readonly role: Role; readonly text: string }
  | { readonly type: 'reset'; readonly reason: string }

/** Where following starts: after a cursor, with the newest messages, or with the next change. */
export type LiveStart = {
  /** The cursor of the last change that you have handled: the iteration yields the changes after it. */
  readonly cursor?: string
  /** The version of the change that `cursor` is of. With it, the client detects a gap from the first change on. */
  readonly version?: number
  /** The number of newest messages to start with. Ignored if `cursor` is given. */
  readonly tail?: number
}
