/** What a live conversation gives, and where it may begin. */
import type { Change } from '../../conversation/wire/schemas.ts'
import type { Role } from '../wire/client-frames.ts'

export type LiveEvent =
  /** Upsert its rows by id, then keep `cursor`. `snapshot`: drop what you hold first. */
  | ({ readonly type: 'change'; readonly snapshot: boolean } & Change)
  /** All that was committed up to now has been given; said again after every reconnect. */
  | { readonly type: 'live'; readonly version: number }
  /** Words that are not durable yet: the latest of this speaker. */
  | { readonly type: 'partial'; readonly role: Role; readonly text: string }
  /** What you hold is void, and the iteration ends: read again from the start. */
  | { readonly type: 'reset'; readonly reason: string }

/** Where it begins: after a cursor, with the newest `tail` messages, or from now on. */
export type LiveStart = {
  readonly cursor?: string
  /** Of the change that `cursor` came with: so that a gap is seen from the first change on. */
  readonly version?: number
  readonly tail?: number
}
