/**
 * The users of a link, which is one connection to the service: one subscriber per conversation, and the sender of
 * writes.
 */
import type { Problem } from '../../problem-error.ts'
import type { Limits, ServerFrame, SubFrame, UnsubFrame } from '../wire/client-frames.ts'
import type { CreditGate } from './credit-gate.ts'

/** The subscriber of a conversation, as its link sees it. */
export type Subscriber = {
  readonly conversationId: string
  /** Called when the subscriber is added to a link. */
  attach(carrier: Carrier): void
  /** Called for a new connection. From now on `receive` gets its frames of this conversation. */
  welcomed(): void
  /** Called when the connection is lost. */
  lost(): void
  /** Takes a frame of the conversation, and its length in characters. */
  receive(frame: ServerFrame, length: number): void
  /** Takes the newest version of the conversation, from a ping of the service. */
  head(version: number): void
  /** Ends the subscription with an error. */
  fail(reason: unknown): void
}

/** The link of a subscriber, as the subscriber sees it. */
export type Carrier = {
  /** Sends a `sub` frame as soon as the credit of the connection allows it. */
  ask(frame: SubFrame): void
  /** Sends an `unsub` frame at once. It replaces a `sub` frame that was not sent yet. */
  leave(frame: UnsubFrame): void
  /** Ends the subscription. `awaitsUnsubscribed`: an `unsub` was sent, and the service will answer it. */
  release(awaitsUnsubscribed: boolean): void
}

/** The sender of writes, as its link sees it. */
export type Recording = {
  /** Called for a new connection. */
  welcomed(gate: CreditGate, limits: Limits): void
  /** Called when the service may accept another frame. */
  pump(): void
  /** Called when the connection is lost. */
  lost(): void
  /** Takes a frame. Returns false if the frame answers no write. */
  receive(frame: ServerFrame): boolean
  /** Called when the service refuses the connection. */
  connectionRefused(problem: Problem): void
  /** Whether a write waits for the service, or a voice session is open. */
  busy(): boolean
}
