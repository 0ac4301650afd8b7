/** What uses a link: subscribers, one a conversation, and the sender of what is recorded. */
import type { Problem } from '../../problem-error.ts'
import type { Limits, ServerFrame, SubFrame, UnsubFrame } from '../wire/client-frames.ts'
import type { CreditGate } from './credit-gate.ts'

/** What a link calls of the subscriber of a conversation. */
export type Subscriber = {
  readonly conversationId: string
  /** Once, when it is started. */
  attach(carrier: Carrier): void
  /** There is a connection: from now on its frames of this conversation come to `receive`. */
  welcomed(): void
  lost(): void
  receive(frame: ServerFrame, length: number): void
  /** The version that the service says the conversation has. */
  head(version: number): void
  fail(reason: unknown): void
}

/** What a subscriber calls of the link it is on. */
export type Carrier = {
  /** Sent when the service takes more of this connection. */
  ask(frame: SubFrame): void
  /** Sent at once, and in place of an `ask` that was not sent. */
  leave(frame: UnsubFrame): void
  /** The subscription has ended. `confirms`: the service has been asked, and will say `unsubscribed`. */
  release(confirms: boolean): void
}

/** What a link calls of the sender of what is recorded over it. */
export type Recording = {
  welcomed(gate: CreditGate, limits: Limits): void
  /** There may be room at the gate. */
  pump(): void
  lost(): void
  /** False: the frame is not for it. */
  receive(frame: ServerFrame): boolean
  refused(problem: Problem): void
  /** Whether something waits for the service. */
  busy(): boolean
}
