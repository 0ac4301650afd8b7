/** Open WebUI's export: `{ "id", "title", "chat": { "history": { "messages": { id: … }, "currentId" } } }`. */
import { isJson, type Json, without } from '../json-value.ts'
import { TimeReader } from '../message-times.ts'
import { type Block, type LineContext, LineProblem } from '../steps.ts'
import { type ChatMessage, chatBlock, objectsIn, speakers } from './chat-messages.ts'
import { contentOf } from './content.ts'
import { otherBranches, type Thread, threadTo } from './thread.ts'

const format = 'open-webui'

export const openWebuiIds = ['id'] as const

/** The chat of a document, or a document that is the chat itself. */
function chatIn(document: unknown): Json | undefined {
  if (!isJson(document)) return undefined
  const chat = isJson(document.chat) ? document.chat : document
  const { history } = chat
  const hasHistory = isJson(history) && isJson(history.messages)
  return hasHistory || (chat !== document && Array.isArray(chat.messages)) ? chat : undefined
}

export const isOpenWebui = (document: unknown): boolean => chatIn(document) !== undefined

/** The branch that ends in `currentId` is the conversation. */
export function readOpenWebui(document: unknown, context: LineContext): Block {
  const chat = chatIn(document)
  if (!isJson(document) || chat === undefined) throw new LineProblem('is no chat of Open WebUI')
  const times = new TimeReader(context.numberText)
  const { path, leftOut } = threadIn(chat)
  const outer =
    chat === document ? {} : without(document, 'chat', 'title', context.name?.member ?? '')
  const inner = without(chat, 'history', 'messages', 'title', context.name?.member ?? '')
  return chatBlock(
    {
      format,
      messages: path.map((one) => messageOf(one, times)),
      title: document.title ?? chat.title,
      members: { ...outer, ...(Object.keys(inner).length > 0 ? { chat: inner } : {}) },
      at: times.ofConversation(document) ?? times.ofConversation(chat),
      times,
      leftOut: otherBranches(leftOut),
    },
    context,
  )
}

function threadIn({ history, messages }: Json): Thread {
  if (!isJson(history) || !isJson(history.messages))
    return { path: objectsIn(Array.isArray(messages) ? messages : []), leftOut: 0 }
  const nodes = new Map(
    Object.entries(history.messages).flatMap(([id, node]) => (isJson(node) ? [[id, node]] : [])),
  )
  const leaf = history.currentId ?? [...nodes.keys()].at(-1)
  if (nodes.size === 0) return { path: [], leftOut: 0 }
  if (typeof leaf !== 'string' || !nodes.has(leaf))
    throw new LineProblem('has a `currentId` that its messages lack')
  return threadTo(leaf, nodes, ({ parentId }) => parentId)
}

function messageOf(message: Json, times: TimeReader): ChatMessage {
  const role = String(message.role)
  const { texts, rest, unreadable } = contentOf(message.content)
  const { files } = message
  return {
    original: message,
    speaker: speakers[role],
    plural: `messages of the role "${role}"`,
    ...(['user', 'assistant', 'system', 'tool'].includes(role) ? {} : { unknownRole: role }),
    texts,
    id: message.id,
    at: times.ofMessage(message),
    members: {
      ...without(message, 'id', 'parentId', 'childrenIds', 'role', 'content', 'timestamp', 'done'),
      ...(rest === undefined ? {} : { content: rest }),
    },
    unreadable: [...unreadable, ...(Array.isArray(files) && files.length > 0 ? ['files'] : [])],
  }
}
