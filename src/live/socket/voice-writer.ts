/** The voice writer serves the frames of voice agents through the same store as REST. */

import type { Reader } from '../../conversation/reading/reader.ts'
import type { Store } from '../../conversation/store.ts'
import type { Principal } from '../../conversation/wire/principal.ts'
import type { VoiceFrame } from '../protocol/frame.ts'
import { textOf } from '../protocol/frame-text.ts'
import type { Presence } from './presence.ts'

/**
 * Returns the answer's frame as text after the commit, and fails with the problem codes of the store.
 * `socket` is the sender of the frame.
 */
export type VoiceWriter = (
  principal: Principal,
  frame: VoiceFrame,
  socket: object,
) => Promise<string>

export function createVoiceWriter(store: Store, reader: Reader, presence: Presence): VoiceWriter {
  return async (principal, frame, socket) => {
    const { c } = frame
    const named = frame.id === undefined ? { c } : { id: frame.id, c }
    switch (frame.t) {
      case 'turn.open': {
        const opened = await store.openTurn(principal, c, frame.body, frame.key)
        const { version, cursor, humanMessageId, seq, replayed } = opened
        return textOf({
          ...{ t: 'turn.opened', ...named, version, cursor, humanMessageId, seq, replayed },
        })
      }
      case 'turn.complete': {
        const completed = await store.completeTurn(principal, c, frame.body, frame.key)
        const { version, cursor } = completed ?? (await reader.head(principal, c))
        return textOf({
          t: 'turn.completed',
          ...named,
          version,
          cursor,
          humanMessageId: completed?.humanMessageId ?? null,
          assistantMessageId: completed?.assistantMessageId ?? null,
          replayed: completed?.replayed ?? false,
        })
      }
      case 'interrupt': {
        const done = await store.interrupt(principal, c, frame.messageId, frame.body)
        const { version, cursor, messageId, changed } = done
        return textOf({ t: 'interrupted', ...named, version, cursor, messageId, changed })
      }
      case 'voice.start': {
        const body = frame.sessionId === undefined ? {} : { id: frame.sessionId }
        const started = await store.voiceSessions.start(
          principal,
          c,
          { ...body, ...frame.body },
          true,
        )
        const { version, cursor, voiceSession } = started
        presence.joined(socket, {
          tenant: principal.tenant,
          conversationId: c,
          id: voiceSession.id,
        })
        return textOf({ t: 'voice.started', ...named, version, cursor, sessionId: voiceSession.id })
      }
      case 'voice.end': {
        const { sessionId } = frame
        const { version, cursor } = await store.voiceSessions.end(principal, c, sessionId)
        presence.sessionEnded({ tenant: principal.tenant, conversationId: c, id: sessionId })
        return textOf({ t: 'voice.ended', ...named, version, cursor, sessionId })
      }
    }
  }
}
