/** What all sessions of a node share. */

import type { Hub } from '../following/hub.ts'
import type { Closing } from '../protocol/close-codes.ts'
import type { FrameDecoder } from '../protocol/frame-decoder.ts'
import type { CreditBounds } from './credit.ts'
import type { FrameLog } from './frame-log.ts'
import type { InboxOptions } from './inbox.ts'
import type { Writer } from './record-writer.ts'
import type { VoiceWriter } from './voice-writer.ts'

/** What the node does with each of its sessions. */
export type NodeSession = {
  /** Called about once a second; `now` is `performance.now()`. */
  tick(now: number): void
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
  /** `reason` is undefined once the socket is gone. */
  closed(session: NodeSession, reason: Closing | undefined): void
}
