/** The routes of the REST API as functions, under the names that the OpenAPI document gives them. */

import type {
  Attach,
  AttachByKey,
  AttachedAudio,
  HeldAudio,
} from '../../conversation/wire/audio-schemas.ts'
import type {
  ChangePage,
  Conversation,
  ConversationList,
  ConversationPatch,
  ErasureReceipt,
  MessagePage,
  NewConversation,
  NewSegment,
  NewTurn,
  RecordedTurn,
  Segment,
  SegmentList,
  VoiceSession,
} from '../../conversation/wire/schemas.ts'
import type {
  CompletedTurn,
  InterruptedMessage,
  Interruption,
  NewVoiceSession,
  OpenedTurn,
  OpenTurn,
  TurnHalves,
  VoiceSessionList,
  VoiceSessionReport,
} from '../../conversation/wire/voice-schemas.ts'
import type { CallOptions } from './call.ts'
import type { Histories, HistoryOptions, MessageOptions, PageOptions } from './read-options.ts'

export type Health = { readonly status: 'ok' }

export type Readiness = {
  readonly status: 'ready' | 'degraded' | 'unavailable' | 'draining'
  readonly dependencies: Readonly<
    Record<string, { readonly name: string; readonly status: string }>
  >
}

/**
 * Every method rejects with a `Problem`, or with the reason of the signal that aborted it. Arguments are
 * read during the call; those that cannot be sent reject at once with `input-not-json`, `id-invalid` or
 * `idempotency-key-invalid`. A write without an answer rejects with `service-unreachable` (never sent) or
 * `outcome-unknown` (retryable where the caller gave its key, id or external id).
 */
export type Rest = {
  /**
   * Without `id` and `externalId`, the client makes an id, so that sending it again after a lost answer
   * creates no second conversation.
   *
   * @example const { id } = await client.createConversation({ title: 'Table for two' })
   */
  createConversation(body?: NewConversation, options?: CallOptions): Promise<Conversation>
  /**
   * The last active first.
   *
   * @example const { conversations, nextPage } = await client.listConversations({ limit: 20 })
   */
  listConversations(
    options?: PageOptions & { readonly externalId?: string },
  ): Promise<ConversationList>
  /** @example const { title, lastSeq } = await client.getConversation(id) */
  getConversation(id: string, options?: CallOptions): Promise<Conversation>
  /**
   * RFC 7396: null removes. `ifMatch` is the version it must have, else `version-mismatch`. An answer
   * that was lost is `outcome-unknown`: the client sends no second try, as it could undo a change made in between.
   *
   * @example await client.patchConversation(id, { title: 'Table for four' }, { ifMatch: 3 })
   */
  patchConversation(
    id: string,
    patch: ConversationPatch,
    options?: CallOptions & { readonly ifMatch?: number },
  ): Promise<Conversation>
  /**
   * For good. Repeatable: the receipt stays the same.
   *
   * @example const { erasedAt } = await client.eraseConversation(id)
   */
  eraseConversation(id: string, options?: CallOptions): Promise<ErasureReceipt>
  /**
   * `key` names the turn for the conversation's life; it is made here if absent, so that the call can
   * be tried again. To try again later, or after a crash, give one of your own. Null: the turn had no
   * responses, and nothing was recorded.
   *
   * @example await client.recordTurn(id, { user: { text: 'Hi' }, assistant: { responses: ['Hello!'] } }, { key: 'call-7' })
   */
  recordTurn(
    conversationId: string,
    turn: NewTurn,
    options?: CallOptions & { readonly key?: string },
  ): Promise<RecordedTurn | null>
  /** @example const { messages, hasMore } = await client.listMessages(id, { after: 0, limit: 100 }) */
  listMessages(conversationId: string, options?: MessageOptions): Promise<MessagePage>
  /**
   * What an LLM is given: every message in order, or the newest `last`.
   *
   * @example const { messages } = await client.getHistory(id, { last: 50, format: 'openai' })
   */
  getHistory<Format extends keyof Histories = 'turnlog'>(
    conversationId: string,
    options?: HistoryOptions<Format>,
  ): Promise<Histories[Format]>
  /**
   * Every message and segment touched after `since`, as it now is.
   *
   * @example const { cursor, hasMore } = await client.listChanges(id, { since: kept })
   */
  listChanges(
    conversationId: string,
    options?: CallOptions & { readonly since?: string; readonly limit?: number },
  ): Promise<ChangePage>
  /**
   * The id is made here if absent.
   *
   * @example const segment = await client.createSegment(id)
   */
  createSegment(conversationId: string, body?: NewSegment, options?: CallOptions): Promise<Segment>
  /** @example const { segments } = await client.listSegments(id) */
  listSegments(conversationId: string, options?: PageOptions): Promise<SegmentList>
  /** @example const { ttsAudioUrls } = await client.getSegment(id, segmentId) */
  getSegment(conversationId: string, id: string, options?: CallOptions): Promise<Segment>
  /**
   * Null: there was nothing to attach.
   *
   * @example await client.attachTts(id, messageId, { ttsAudioUrls: ['https://cdn.example/1.mp3'] })
   */
  attachTts(
    conversationId: string,
    messageId: string,
    audio: Attach,
    options?: CallOptions,
  ): Promise<AttachedAudio | null>
  /**
   * To the AI message with the highest `seq`; null: there is none. An answer that was lost is
   * `outcome-unknown`: by a second try, another message may be the latest.
   *
   * @example await client.attachTtsToLatest(id, { ttsAudioUrls: ['https://cdn.example/1.mp3'] })
   */
  attachTtsToLatest(
    conversationId: string,
    audio: Attach,
    options?: CallOptions,
  ): Promise<AttachedAudio | null>
  /**
   * To a part of the answer of the turn that the key names, also before there is one.
   *
   * @example await client.attachByKey(id, { key: 'call-7', part: 0, textHash, ttsAudioUrl: 'https://cdn.example/1.mp3' })
   */
  attachByKey(
    conversationId: string,
    audio: AttachByKey,
    options?: CallOptions,
  ): Promise<AttachedAudio | HeldAudio>
  /**
   * Gives a turn its place before there are words for it. The key names it.
   *
   * @example const { seq } = await client.openTurn(id, 'call-7')
   */
  openTurn(
    conversationId: string,
    key: string,
    body?: OpenTurn,
    options?: CallOptions,
  ): Promise<OpenedTurn>
  /**
   * One half of an opened turn, or both; null: no responses, nothing was written.
   *
   * @example await client.completeTurn(id, 'call-7', { user: { text: 'Hi' } })
   */
  completeTurn(
    conversationId: string,
    key: string,
    halves: TurnHalves,
    options?: CallOptions,
  ): Promise<CompletedTurn | null>
  /**
   * What the listener heard of an AI message, at the time given or now.
   *
   * @example await client.interrupt(id, messageId, { heard: { parts: 1 }, at: new Date().toISOString() })
   */
  interrupt(
    conversationId: string,
    messageId: string,
    report: Interruption,
    options?: CallOptions,
  ): Promise<InterruptedMessage>
  /** @example const { id: sessionId } = await client.startVoiceSession(id) */
  startVoiceSession(
    conversationId: string,
    body?: NewVoiceSession,
    options?: CallOptions,
  ): Promise<VoiceSession>
  /** @example const { voiceSessions } = await client.listVoiceSessions(id) */
  listVoiceSessions(conversationId: string, options?: PageOptions): Promise<VoiceSessionList>
  /** @example const report = await client.getVoiceSession(id, sessionId) */
  getVoiceSession(
    conversationId: string,
    id: string,
    options?: CallOptions,
  ): Promise<VoiceSessionReport>
  /**
   * Ended already is `voice-session-ended`.
   *
   * @example await client.endVoiceSession(id, sessionId)
   */
  endVoiceSession(conversationId: string, id: string, options?: CallOptions): Promise<VoiceSession>
  /** @example const { status } = await client.getHealth() */
  getHealth(options?: CallOptions): Promise<Health>
  /**
   * Also of a service that is not ready: look at `status`.
   *
   * @example const { status, dependencies } = await client.getReadiness()
   */
  getReadiness(options?: CallOptions): Promise<Readiness>
}
