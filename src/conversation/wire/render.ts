/**
 * Joins parts with `[SPLIT]`, and renders a history in the format of a library. The list of parts
 * and the joined content always agree. Every format has the same messages in the same order.
 */
import type {
  HistoryFormat,
  LangchainHistory,
  LangchainMessage,
  OpenaiHistory,
  OpenaiMessage,
  RenderedHistory,
} from './history-formats.ts'
import type { History, Message } from './schemas.ts'

/** The mark between the parts in `content`, for LLMs and for clients that do not know parts. */
export const partJoin = '[SPLIT]'

/**
 * The parts that are stored for responses that were sent: split at the exact mark, with white
 * space, without empty parts. `splitResponses([joinParts(parts)])` equals `parts`.
 */
export function splitResponses(responses: readonly string[]): string[] {
  return responses.flatMap((response) => response.split(partJoin)).filter((part) => part !== '')
}

/** The `content` of a message with these parts. */
export const joinParts = (parts: readonly string[]): string => parts.join(partJoin)

const openaiMessage = ({ role, content }: Message): OpenaiMessage => ({
  role: role === 'human' ? 'user' : 'assistant',
  content,
})

/**
 * Our fields are all under `turnlog`, because LangChain interprets some names that a caller's
 * metadata may have.
 */
function langchainMessage(message: Message): LangchainMessage {
  const { id, conversationId: _, role, parts: __, content, ...turnlog } = message
  return {
    type: role,
    data: { content, id, additional_kwargs: { turnlog }, response_metadata: {} },
  }
}

/** Renders a message in each format of another library. */
export const renderMessage = { openai: openaiMessage, langchain: langchainMessage } as const

/** Renders a history in each format. */
export const renderHistory = {
  turnlog: (history: History): History => history,
  openai: (history: History): OpenaiHistory => ({
    ...history,
    messages: history.messages.map(openaiMessage),
  }),
  langchain: (history: History): LangchainHistory => ({
    ...history,
    messages: history.messages.map(langchainMessage),
  }),
} as const satisfies Record<HistoryFormat, (history: History) => RenderedHistory>
