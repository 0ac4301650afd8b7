/** The parts that all sessions of a node share. */

import type { Hub } from '../following/hub.ts'
import type { Closing } from '../protocol/close-codes.ts'
import type { FrameDecoder } from '../protocol/frame-decoder.ts'
import type { CreditBounds } from './credit.ts'
import type { FrameLog } from './frame-log.ts'
import type { InboxOptions } from './inbox.ts'
import type { Writer } from './record-writer.ts'
import type { VoiceWriter } from './voice-writer.ts'

/** The methods of a session that its node calls. */
export type NodeSession = {
  /** Called about once a second; `now` is `performance.now()`. */
  tick(now: number): void
  /** Answers the pending writes, then closes the socket. */
  drain(): Promise<void>
  close(reason: Closing): void
}

export type SessionOptions = {
  readonly hub: Hub
  readonly decoder: FrameDecoder
  readonly writer: Writer
  readonly voice: VoiceWriter
  readonly pingMs: number
  readonly credit: CreditBounds
  readonly limits: {
    readonly frameBytes: number
    readonly subscriptions: number
    readonly framesPerSecond: number
  }
  readonly inbox: InboxOptions
  readonly log: FrameLog
  /**
   * Called when the session closes the socket, with the reason. Called again without a reason when
   * the socket has closed.
   */
  closed(session: NodeSession, reason: Closing | undefined): void
}
