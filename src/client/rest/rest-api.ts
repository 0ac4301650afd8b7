/** The routes of the REST API as functions, under the names that the OpenAPI document gives them. */

import type {
  Attach,
  AttachByKey,
  AttachedAudio,
  HeldAudio,
} from '../../conversation/wire/audio-schemas.ts'
import type { LangchainHistory, OpenaiHistory } from '../../conversation/wire/history-formats.ts'
import type {
  ChangePage,
  Conversation,
  ConversationList,
  ConversationPatch,
  ErasureReceipt,
  History,
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

/**
 * How new an answer must be. `strong` (the default): everything committed before. `eventual`: perhaps a
 * little less, and faster. `own-writes`: at least what this client has written there, from a cache
 * that has it; strong where this client knows of no write of its own.
 */
export type Freshness = 'strong' | 'eventual' | 'own-writes'

export type ReadOptions = CallOptions & {
  readonly consistency?: Freshness
  /** Answer from a state at least as new as this cursor. Not together with `own-writes`. */
  readonly minCursor?: string
}

export type PageOptions = CallOptions & {
  /** `nextPage` of the answer before. */
  readonly page?: string
  readonly limit?: number
}

export type MessageOptions = ReadOptions & {
  /** Only messages with a higher `seq`. */
  readonly after?: number
  /** Only messages with a lower `seq`. */
  readonly before?: number
  readonly limit?: number
  readonly order?: 'asc' | 'desc'
  /** With the places of turns whose words have not come yet. */
  readonly include?: 'pending'
}

/** By format. */
export type Histories = { turnlog: History; openai: OpenaiHistory; langchain: LangchainHistory }

export type HistoryOptions<Format extends keyof Histories = 'turnlog'> = ReadOptions & {
  /** Only the newest of this many messages. */
  readonly last?: number
  /** The shape of the messages; `turnlog` unless said otherwise. */
  readonly format?: Format
  /**
   * `said`: all that was said. `heard`: answers that were cut off, as far as they were heard; where `format` is
   * `openai` or `langchain`, unless said otherwise.
   */
  readonly view?: 'said' | 'heard'
  /** With the places of turns whose words have not come yet. */
  readonly include?: 'pending'
}

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
   */
  createConversation(body?: NewConversation, options?: CallOptions): Promise<Conversation>
  /** The last active first. */
  listConversations(
    options?: PageOptions & { readonly externalId?: string },
  ): Promise<ConversationList>
  getConversation(id: string, options?: CallOptions): Promise<Conversation>
  /**
   * RFC 7396: null removes. `ifMatch` is the version it must have, else `version-mismatch`. An answer
   * that was lost is `outcome-unknown`: the client sends no second try, as it could undo a change made in between.
   */
  patchConversation(
    id: string,
    patch: ConversationPatch,
    options?: CallOptions & { readonly ifMatch?: number },
  ): Promise<Conversation>
  /** For good. Repeatable: the receipt stays the same. */
  eraseConversation(id: string, options?: CallOptions): Promise<ErasureReceipt>
  /**
   * `key` names the turn for the conversation's life; it is made here if absent, so that the call can
   * be tried again. To try again later, or after a crash, give one of your own. Null: the turn had no
   * responses, and nothing was recorded.
   */
  recordTurn(
    conversationId: string,
    turn: NewTurn,
    options?: CallOptions & { readonly key?: string },
  ): Promise<RecordedTurn | null>
  listMessages(conversationId: string, options?: MessageOptions): Promise<MessagePage>
  /** What an LLM is given: every message in order, or the newest `last`. */
  getHistory<Format extends keyof Histories = 'turnlog'>(
    conversationId: string,
    options?: HistoryOptions<Format>,
  ): Promise<Histories[Format]>
  /** Every message and segment touched after `since`, as it now is. */
  listChanges(
    conversationId: string,
    options?: CallOptions & { readonly since?: string; readonly limit?: number },
  ): Promise<ChangePage>
  /** The id is made here if absent. */
  createSegment(conversationId: string, body?: NewSegment, options?: CallOptions): Promise<Segment>
  listSegments(conversationId: string, options?: PageOptions): Promise<SegmentList>
  getSegment(conversationId: string, id: string, options?: CallOptions): Promise<Segment>
  /** Null: there was nothing to attach. */
  attachTts(
    conversationId: string,
    messageId: string,
    audio: Attach,
    options?: CallOptions,
  ): Promise<AttachedAudio | null>
  /**
   * To the AI message with the highest `seq`; null: there is none. An answer that was lost is
   * `outcome-unknown`: by a second try, another message may be the latest.
   */
  attachTtsToLatest(
    conversationId: string,
    audio: Attach,
    options?: CallOptions,
  ): Promise<AttachedAudio | null>
  /** To a part of the answer of the turn that the key names, also before there is one. */
  attachByKey(
    conversationId: string,
    audio: AttachByKey,
    options?: CallOptions,
  ): Promise<AttachedAudio | HeldAudio>
  /** Gives a turn its place before there are words for it. The key names it. */
  openTurn(
    conversationId: string,
    key: string,
    body?: OpenTurn,
    options?: CallOptions,
  ): Promise<OpenedTurn>
  /** One half of an opened turn, or both; null: no responses, nothing was written. */
  completeTurn(
    conversationId: string,
    key: string,
    halves: TurnHalves,
    options?: CallOptions,
  ): Promise<CompletedTurn | null>
  /** What the listener heard of an AI message, at the time given or now. */
  interrupt(
    conversationId: string,
    messageId: string,
    report: Interruption,
    options?: CallOptions,
  ): Promise<InterruptedMessage>
  startVoiceSession(
    conversationId: string,
    body?: NewVoiceSession,
    options?: CallOptions,
  ): Promise<VoiceSession>
  listVoiceSessions(conversationId: string, options?: PageOptions): Promise<VoiceSessionList>
  getVoiceSession(
    conversationId: string,
    id: string,
    options?: CallOptions,
  ): Promise<VoiceSessionReport>
  /** Ended already is `voice-session-ended`. */
  endVoiceSession(conversationId: string, id: string, options?: CallOptions): Promise<VoiceSession>
  getHealth(options?: CallOptions): Promise<Health>
  /** Also of a service that is not ready: look at `status`. */
  getReadiness(options?: CallOptions): Promise<Readiness>
}
