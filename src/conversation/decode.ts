/** What callers sent -> checked values, or a problem that names every place that breaks a rule. */
import type * as wire from './wire.ts'

/** Bounds on what one request may carry; the unit is in the name. */
export type Limits = {
  readonly partsMax: number
  readonly traceBytesMax: number
  readonly metadataBytesMax: number
  readonly jsonDepthMax: number
  readonly urlsMax: number
  readonly aheadSecondsMax: number
}

/** Each takes parsed JSON and throws a `Problem` with violations `in: 'body'`. */
export type Decoder = {
  conversation(body: unknown): wire.NewConversation
  conversationPatch(body: unknown): wire.ConversationPatch
  /** The responses come back split, without empty parts: perhaps none. */
  turn(body: unknown): wire.NewTurn
  segment(body: unknown): wire.NewSegment
  attach(body: unknown): wire.Attach
}
