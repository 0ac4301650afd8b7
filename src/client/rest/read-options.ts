/** The options of reads: how new the answer must be, which page, which messages, in which format. */
import type { LangchainHistory, OpenaiHistory } from '../../conversation/wire/history-formats.ts'
import type { History } from '../../conversation/wire/schemas.ts'
import type { CallOptions } from './call.ts'

/**
 * How new an answer must be.
 *
 * - `strong`: it has every write that was acknowledged before the read began.
 * - `eventual`: it may come from a cache, is faster, and may lack the newest writes.
 * - `own-writes`: it may come from a cache, and has every write of this client to the conversation. It is a `strong`
 *   read if this client remembers no write to the conversation.
 */
export type Freshness = 'strong' | 'eventual' | 'own-writes'

/** The options of a read of messages. */
export type ReadOptions = CallOptions & {
  /**
   * How new the answer must be.
   *
   * @default 'strong', or 'eventual' if `minCursor` is given
   */
  readonly consistency?: Freshness
  /** A cursor: the answer must be at least as new. Not allowed with `own-writes`. */
  readonly minCursor?: string
}

/** The options of a call that answers page by page. */
export type PageOptions = CallOptions & {
  /**
   * The `nextPage` of the answer before.
   *
   * @default the first page
   */
  readonly page?: string
  /**
   * The number of rows in one page. The service allows up to 200 if it is not configured otherwise.
   *
   * @default 50
   */
  readonly limit?: number
}

/** The options of `listMessages`. */
export type MessageOptions = ReadOptions & {
  /** Only messages with a higher `seq`. */
  readonly after?: number
  /** Only messages with a lower `seq`. */
  readonly before?: number
  /**
   * The number of messages in one page. The service allows up to 200 if it is not configured otherwise.
   *
   * @default 100
   */
  readonly limit?: number
  /**
   * The order of the messages by `seq`.
   *
   * @default 'asc'
   */
  readonly order?: 'asc' | 'desc'
  /** `pending`: the answer has the seats of turns whose words have not arrived, too. */
  readonly include?: 'pending'
}

/** The answers of `getHistory`, by format. */
export type Histories = { turnlog: History; openai: OpenaiHistory; langchain: LangchainHistory }

/** The options of `getHistory`. */
export type HistoryOptions<Format extends keyof Histories = 'turnlog'> = ReadOptions & {
  /**
   * The number of newest messages to read.
   *
   * @default all messages
   */
  readonly last?: number
  /**
   * The number of newest turns to read, each whole, in the order of their first messages. Not allowed with `last`.
   *
   * @default all turns
   */
  readonly lastTurns?: number
  /**
   * The format of the messages.
   *
   * @default 'turnlog'
   */
  readonly format?: Format
  /**
   * `said`: what the agent sent. `heard`: an interrupted answer ends after the words that the listener heard.
   *
   * @default 'said' for the format `turnlog`, 'heard' for `openai` and `langchain`
   */
  readonly view?: 'said' | 'heard'
  /** `pending`: the answer has the seats of turns whose words have not arrived, too. */
  readonly include?: 'pending'
}
