/** UIMessages of the AI SDK: `{ "id", "role", "parts": [{ "type" }] }`, in a list or in `{ "messages" }`. */
import { isJson, type Json, without } from '../json-value.ts'
import { TimeReader } from '../message-times.ts'
import { type Block, type LineContext, LineProblem } from '../steps.ts'
import { type ChatMessage, chatBlock, objectsIn, speakers } from './chat-messages.ts'
import { contentOf } from './content.ts'

const format = 'ai-sdk'

export const uiMessageIds = ['id', 'chatId'] as const

export const isUiMessages = (document: unknown): boolean => {
  const list = Array.isArray(document) ? document : isJson(document) ? document.messages : undefined
  return Array.isArray(list) && list.some(isUiMessage)
}

const isUiMessage = (message: unknown): boolean =>
  isJson(message) &&
  typeof message.role === 'string' &&
  Array.isArray(message.parts) &&
  message.parts.some((part) => isJson(part) && typeof part.type === 'string')

export function readUiMessages(document: unknown, context: LineContext): Block {
  if (!isUiMessages(document)) throw new LineProblem('has no list of UIMessages')
  const rest = isJson(document) ? without(document, 'messages', context.name?.member ?? '') : {}
  const list = isJson(document) ? document.messages : document
  const times = new TimeReader(context.numberText)
  return chatBlock(
    {
      format,
      messages: objectsIn(Array.isArray(list) ? list : []).map((one) => messageOf(one, times)),
      title: rest.title,
      members: without(rest, 'title'),
      at: times.ofConversation(rest),
      times,
    },
    context,
  )
}

function messageOf(message: Json, times: TimeReader): ChatMessage {
  const role = String(message.role)
  const parts = contentOf(message.parts)
  // Older messages have their text in `content`, and again in `parts` or not at all.
  const { texts, rest, unreadable } =
    parts.texts.length > 0 ? parts : joined(parts, message.content)
  return {
    original: message,
    speaker: speakers[role],
    plural: `messages of the role "${role}"`,
    ...(['user', 'assistant', 'system', 'data', 'tool'].includes(role)
      ? {}
      : { unknownRole: role }),
    texts,
    id: message.id,
    at: times.ofMessage(message),
    members: {
      ...without(message, 'role', 'parts', 'content', 'id', 'createdAt'),
      ...(rest === undefined ? {} : { parts: rest }),
    },
    unreadable,
  }
}

const joined = (parts: ReturnType<typeof contentOf>, content: unknown) => ({
  ...parts,
  texts: contentOf(content).texts,
})
