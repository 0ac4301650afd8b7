/** What may be said with a read: how new it must be, which page, which messages, in which shape. */
import type { LangchainHistory, OpenaiHistory } from '../../conversation/wire/history-formats.ts'
import type { History } from '../../conversation/wire/schemas.ts'
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
