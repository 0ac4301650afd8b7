/** LibreChat's export: `{ "conversationId", "title", "messages": [{ "messageId", "parentMessageId", "isCreatedByUser", "text" }] }`. */
import { isJson, type Json, without } from '../json-value.ts'
import { TimeReader } from '../message-times.ts'
import { type Block, type LineContext, LineProblem } from '../steps.ts'
import { type ChatMessage, chatBlock, objectsIn } from './chat-messages.ts'
import { contentOf } from './content.ts'
import { otherBranches, threadTo } from './thread.ts'

const format = 'librechat'

export const librechatIds = ['conversationId'] as const

export const isLibrechat = (document: unknown): document is Json & { messages: unknown[] } =>
  isJson(document) &&
  Array.isArray(document.messages) &&
  document.messages.some((one) => isJson(one) && typeof one.isCreatedByUser === 'boolean')

/** The branch of the newest message is the conversation. */
export function readLibrechat(document: unknown, context: LineContext): Block {
  if (!isLibrechat(document)) throw new LineProblem('is no export of LibreChat')
  const times = new TimeReader(context.numberText)
  const messages = flat(objectsIn(document.messages))
  const nodes = new Map(
    messages.flatMap((one) =>
      typeof one.messageId === 'string' ? [[one.messageId, one] as const] : [],
    ),
  )
  const isLinked = messages.some(({ parentMessageId }) => typeof parentMessageId === 'string')
  const leaf = messages.at(-1)?.messageId
  const thread =
    isLinked && typeof leaf === 'string'
      ? threadTo(leaf, nodes, ({ parentMessageId }) => parentMessageId)
      : { path: messages, leftOut: 0 }
  return chatBlock(
    {
      format,
      messages: thread.path.map((one) => messageOf(one, times)),
      title: document.title,
      members: without(document, 'messages', 'title', context.name?.member ?? ''),
      at: times.ofConversation(document),
      times,
      leftOut: otherBranches(thread.leftOut),
    },
    context,
  )
}

/** An export that is `recursive` nests answers in `children`. */
const flat = (messages: readonly Json[]): Json[] =>
  messages.flatMap((one) => [
    without(one, 'children'),
    ...(Array.isArray(one.children) ? flat(objectsIn(one.children)) : []),
  ])

function messageOf(message: Json, times: TimeReader): ChatMessage {
  const isHuman = message.isCreatedByUser === true
  const content = contentOf(message.content)
  const texts =
    typeof message.text === 'string' && message.text !== '' ? [message.text] : content.texts
  return {
    original: message,
    speaker: isHuman ? 'human' : 'ai',
    plural: 'messages',
    texts,
    id: message.messageId,
    at: times.ofMessage(message),
    members: {
      ...without(
        message,
        'messageId',
        'parentMessageId',
        'isCreatedByUser',
        'text',
        'content',
        'createdAt',
      ),
      ...(content.rest === undefined ? {} : { content: content.rest }),
    },
    unreadable: [...content.unreadable, ...(Array.isArray(message.files) ? ['files'] : [])],
  }
}
