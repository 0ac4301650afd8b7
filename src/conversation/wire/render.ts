/**
 * Pure: the `[SPLIT]` join, and a history in the shape that a library wants. The list of parts and
 * the joined content always agree; in every shape, the n-th message is the n-th message.
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

/** Stands between the parts in `content`, for LLMs and for clients that know no parts. */
export const partJoin = '[SPLIT]'

/**
 * Responses as sent -> the parts as stored: split on the exact marker, white space kept, empty parts
 * dropped. `splitResponses([joinParts(parts)])` is `parts` again.
 */
export function splitResponses(responses: readonly string[]): string[] {
  return responses.flatMap((response) => response.split(partJoin)).filter((part) => part !== '')
}

export const joinParts = (parts: readonly string[]): string => parts.join(partJoin)

const openaiMessage = ({ role, content }: Message): OpenaiMessage => ({
  role: role === 'human' ? 'user' : 'assistant',
  content,
})

/** Ours stands under one name of our own: LangChain acts on some that a caller's metadata may have. */
function langchainMessage(message: Message): LangchainMessage {
  const { id, conversationId: _, role, parts: __, content, ...turnlog } = message
  return {
    type: role,
    data: { content, id, additional_kwargs: { turnlog }, response_metadata: {} },
  }
}

/** A message in each format that is not our own. */
export const renderMessage = { openai: openaiMessage, langchain: langchainMessage } as const

/** A history in each format. */
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
