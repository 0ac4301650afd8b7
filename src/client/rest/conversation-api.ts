/** The REST calls that create, list, read, change and erase conversations. */
import type {
  ChangePage,
  Conversation,
  ConversationList,
  ConversationPatch,
  ErasureReceipt,
  MessagePage,
  NewConversation,
} from '../../conversation/wire/schemas.ts'
import type { CallOptions } from './call.ts'
import type { Histories, HistoryOptions, MessageOptions, PageOptions } from './read-options.ts'

export type ConversationApi = {
  /**
   * Creates a conversation. If `body` has neither `id` nor `externalId`, the client adds a new id, so that a retry
   * after a lost answer creates no second conversation. The same body under the same id again returns the
   * conversation as it is now.
   *
   * @param body The id, title, metadata, external id and start time of the conversation; all are optional.
   * @param options The limits of this call.
   * @returns The conversation.
   * @throws `conversation-taken` The id belongs to a conversation that was created with another body.
   * @throws `external-id-taken` Another conversation has the external id.
   * @throws `time-invalid`, `time-ahead` `createdAt` is no RFC 3339 time, or lies too far in the future.
   * @example
   * const { id } = await client.createConversation({ title: 'Table for two' })
   */
  createConversation(body?: NewConversation, options?: CallOptions): Promise<Conversation>
  /**
   * Lists conversations, the most recently active first.
   *
   * @param options The page, its length, and an `externalId` that finds the one conversation with that external id.
   * @returns One page of conversations, and `nextPage` for the next one; null after the last.
   * @throws `limit-invalid`, `page-invalid` `limit` is out of range, or `page` is no `nextPage` of an answer.
   * @example
   * const { conversations, nextPage } = await client.listConversations({ limit: 20 })
   */
  listConversations(
    options?: PageOptions & { readonly externalId?: string },
  ): Promise<ConversationList>
  /**
   * Reads one conversation, without its messages.
   *
   * @param id The conversation's id.
   * @param options The limits of this call.
   * @returns The conversation.
   * @example
   * const { title, lastSeq } = await client.getConversation(id)
   */
  getConversation(id: string, options?: CallOptions): Promise<Conversation>
  /**
   * Changes title, metadata or external id by a JSON Merge Patch (RFC 7396): a null removes. The client does not
   * resend a patch whose answer was lost, because another client's change may lie between.
   *
   * @param id The conversation's id.
   * @param patch The members to change.
   * @param options The limits of this call. `ifMatch` is the version that the conversation must have.
   * @returns The conversation after the change.
   * @throws `version-mismatch` The conversation has another version than `ifMatch`.
   * @throws `external-id-taken` Another conversation has the external id.
   * @example
   * const { version } = await client.getConversation(id)
   * await client.patchConversation(id, { title: 'Table for four' }, { ifMatch: version })
   */
  patchConversation(
    id: string,
    patch: ConversationPatch,
    options?: CallOptions & { readonly ifMatch?: number },
  ): Promise<Conversation>
  /**
   * Erases the content of a conversation for good. Its id stays taken. A second call returns the same receipt.
   *
   * @param id The conversation's id.
   * @param options The limits of this call.
   * @returns The time of the erasure and the number of deleted messages and segments.
   * @example
   * const { erasedAt, messages } = await client.eraseConversation(id)
   */
  eraseConversation(id: string, options?: CallOptions): Promise<ErasureReceipt>
  /**
   * Reads messages page by page, in the order of their `seq`. Pass the last `seq` of a page as `after` for the next.
   *
   * @param conversationId The conversation's id.
   * @param options The page, and how new the answer must be.
   * @returns The messages, and `hasMore`: whether more messages follow in the direction of the page.
   * @throws `limit-invalid` `limit`, `after` or `before` is out of range.
   * @throws `cursor-invalid`, `cursor-ahead` `minCursor` is no cursor of the conversation, or is newer than the
   *   database.
   * @example
   * const { messages, hasMore } = await client.listMessages(id, { after: 0, limit: 100 })
   */
  listMessages(conversationId: string, options?: MessageOptions): Promise<MessagePage>
  /**
   * Reads the history to give to an LLM: every message in order, the newest `last`, or those of the
   * newest `lastTurns` turns.
   *
   * @param conversationId The conversation's id.
   * @param options The number, the format and the view of the messages, and how new the answer must be.
   * @returns The messages in the shape that `format` names.
   * @throws `history-too-long` The history has more messages than one answer may hold: give `last` or `lastTurns`.
   * @throws `limit-invalid` `last` or `lastTurns` is out of range.
   * @throws `cursor-invalid`, `cursor-ahead` `minCursor` is no cursor of the conversation, or is newer than the
   *   database.
   * @example
   * const { messages } = await client.getHistory(id, { last: 50, format: 'openai' })
   */
  getHistory<Format extends keyof Histories = 'turnlog'>(
    conversationId: string,
    options?: HistoryOptions<Format>,
  ): Promise<Histories[Format]>
  /**
   * Reads every message, segment and voice session that changed after a cursor, as it is now. Store the `cursor` of
   * the answer and pass it as `since` next time.
   *
   * @param conversationId The conversation's id.
   * @param options The limits of this call. `since` is the cursor to start after; without it the answer starts at the
   *   beginning. `limit` is the number of rows in one page.
   * @returns The changed rows, the new `cursor`, and `hasMore`: whether to ask again at once.
   * @throws `limit-invalid` `limit` is out of range.
   * @throws `cursor-invalid`, `cursor-ahead` `since` is no cursor of the conversation, or is newer than the database.
   * @example
   * const first = await client.listChanges(id)
   * const { messages, cursor, hasMore } = await client.listChanges(id, { since: first.cursor })
   */
  listChanges(
    conversationId: string,
    options?: CallOptions & { readonly since?: string; readonly limit?: number },
  ): Promise<ChangePage>
}
