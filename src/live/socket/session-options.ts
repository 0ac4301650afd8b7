/** What all sessions of a node share. */

import type { Hub } from '../following/hub.ts'
import type { Closing } from '../protocol/close-codes.ts'
import type { FrameDecoder } from '../protocol/frame-decoder.ts'
import type { CreditBounds } from './credit.ts'
import type { FrameLog } from './frame-log.ts'
import type { InboxOptions } from './inbox.ts'
import type { Writer } from './record-writer.ts'
import type { Session } from './session.ts'
import type { VoiceWriter } from './voice-writer.ts'

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
  closed(session: Session, reason: Closing | undefined): void
}
