/** The REST calls of voice sessions. */
import type { VoiceSession } from '../../conversation/wire/schemas.ts'
import type {
  NewVoiceSession,
  VoiceSessionList,
  VoiceSessionReport,
} from '../../conversation/wire/voice-schemas.ts'
import type { CallOptions } from './call.ts'
import type { PageOptions } from './read-options.ts'

export type VoiceSessionApi = {
  /**
   * Starts a voice session without a socket: it stays open until `endVoiceSession`. If `body` has no id, the
   * client adds a new one. The same id again returns the running session.
   *
   * @param conversationId The conversation's id.
   * @param body The session's id and metadata.
   * @param options The limits of this call.
   * @returns The voice session.
   * @throws `voice-session-ended` The session has already ended.
   * @throws `voice-session-taken` The session was started with other metadata.
   * @example
   * const session = await client.startVoiceSession(id, { metadata: { line: 2 } })
   */
  startVoiceSession(
    conversationId: string,
    body?: NewVoiceSession,
    options?: CallOptions,
  ): Promise<VoiceSession>
  /**
   * Lists the voice sessions of a conversation in the order in which they started.
   *
   * @param conversationId The conversation's id.
   * @param options The page and its length.
   * @returns One page of sessions, and `nextPage` for the next one; null after the last.
   * @throws `limit-invalid`, `page-invalid` `limit` is out of range, or `page` is no `nextPage` of an answer.
   * @example
   * const { voiceSessions } = await client.listVoiceSessions(id)
   */
  listVoiceSessions(conversationId: string, options?: PageOptions): Promise<VoiceSessionList>
  /**
   * Reads one voice session and its figures: turns, seconds of human speech, interruptions and the median response
   * time in milliseconds.
   *
   * @param conversationId The conversation's id.
   * @param id The session's id.
   * @param options The limits of this call.
   * @returns The session with its `figures`.
   * @throws `voice-session-not-found` The conversation has no such session.
   * @example
   * const session = await client.startVoiceSession(id)
   * const { figures } = await client.getVoiceSession(id, session.id)
   */
  getVoiceSession(
    conversationId: string,
    id: string,
    options?: CallOptions,
  ): Promise<VoiceSessionReport>
  /**
   * Ends a voice session. The client does not resend this call after a lost answer.
   *
   * @param conversationId The conversation's id.
   * @param id The session's id.
   * @param options The limits of this call.
   * @returns The ended session.
   * @throws `voice-session-not-found` The conversation has no such session.
   * @throws `voice-session-ended` The session has already ended.
   * @example
   * const session = await client.startVoiceSession(id)
   * await client.endVoiceSession(id, session.id)
   */
  endVoiceSession(conversationId: string, id: string, options?: CallOptions): Promise<VoiceSession>
}
