/** ChatGPT's export, `conversations.json`: `{ "title", "current_node", "mapping": { id: { "message", "parent" } } }`. */
import { isJson, type Json, without } from '../json-value.ts'
import { TimeReader } from '../message-times.ts'
import { type Block, type LineContext, LineProblem } from '../steps.ts'
import { type ChatMessage, chatBlock, speakers } from './chat-messages.ts'
import { otherBranches, threadTo } from './thread.ts'

const format = 'chatgpt'

export const chatgptIds = ['conversation_id', 'id'] as const

export const isChatgpt = (document: unknown): document is Json & { mapping: Json } =>
  isJson(document) && isJson(document.mapping)

/** The branch that ends in `current_node` is the conversation. */
export function readChatgpt(document: unknown, context: LineContext): Block {
  if (!isChatgpt(document)) throw new LineProblem('has no `mapping`: it is no ChatGPT export')
  const times = new TimeReader(context.numberText)
  const nodes = new Map(
    Object.entries(document.mapping).flatMap(([id, node]) => (isJson(node) ? [[id, node]] : [])),
  )
  const leaf = document.current_node ?? lastLeaf(nodes)
  if (typeof leaf !== 'string' || (nodes.size > 0 && !nodes.has(leaf)))
    throw new LineProblem('has a `current_node` that its `mapping` lacks')
  const { path } = threadTo(leaf, nodes, ({ parent }) => parent)
  const isMessage = ({ message }: Json) => isJson(message) && !isBlank(message)
  const messages = path.filter(isMessage).map(({ message }) => messageOf(message, times))
  const all = [...nodes.values()].filter(isMessage).length
  return chatBlock(
    {
      format,
      messages,
      title: document.title,
      members: without(document, 'title', 'mapping', 'current_node', context.name?.member ?? ''),
      at: times.ofConversation(document),
      times,
      leftOut: otherBranches(all - messages.length),
    },
    context,
  )
}

/** A node that is no node's parent; the last of them. */
function lastLeaf(nodes: ReadonlyMap<string, Json>): string | undefined {
  const parents = new Set([...nodes.values()].map(({ parent }) => parent))
  return [...nodes.keys()].findLast((id) => !parents.has(id))
}

/** ChatGPT writes an empty system message before the first one. */
const isBlank = (message: Json): boolean =>
  roleOf(message) === 'system' && textsIn(message.content).every((text) => text === '')

const roleOf = ({ author }: Json): unknown => (isJson(author) ? author.role : undefined)

function messageOf(message: unknown, times: TimeReader): ChatMessage {
  if (!isJson(message)) throw new LineProblem('has a message that is no object')
  const { content, recipient } = message
  const role = String(roleOf(message))
  // A message to a tool is a call, and hidden ones are instructions of the app.
  const isToPerson = recipient === undefined || recipient === 'all'
  const isHidden =
    isJson(message.metadata) && message.metadata.is_visually_hidden_from_conversation === true
  const type = isJson(content) ? String(content.content_type) : ''
  const isSpoken = isToPerson && !isHidden && spokenTypes.includes(type)
  const speaker = isSpoken ? speakers[role] : undefined
  const texts = textsIn(content)
  const isVoice = partsIn(content).some(
    (part) => isJson(part) && part.content_type === 'audio_transcription',
  )
  const files = partsIn(content).filter((part) => typeof part !== 'string')
  return {
    original: message,
    speaker,
    plural: isSpoken ? `messages of the role "${role}"` : `messages of the type "${type}"`,
    ...(knownRoles.includes(role) ? {} : { unknownRole: role }),
    texts,
    id: message.id,
    at: times.ofMessage(message),
    members: {
      ...without(
        message,
        'id',
        'author',
        'content',
        'recipient',
        'end_turn',
        'weight',
        'status',
        'create_time',
      ),
      ...(files.length > 0 ? { parts: files } : {}),
    },
    isVoice: isVoice && role === 'user',
    unreadable: files.map((part) => (isJson(part) ? String(part.content_type) : typeof part)),
  }
}

const knownRoles = ['user', 'assistant', 'system', 'tool', 'developer']
const spokenTypes = ['text', 'multimodal_text', 'code']

const partsIn = (content: unknown): readonly unknown[] =>
  isJson(content) && Array.isArray(content.parts) ? content.parts : []

function textsIn(content: unknown): string[] {
  const parts = partsIn(content)
  const { text } = isJson(content) ? content : {}
  if (parts.length === 0) return typeof text === 'string' ? [text] : []
  return parts.flatMap((part) => {
    if (typeof part === 'string') return [part]
    return isJson(part) && typeof part.text === 'string' ? [part.text] : []
  })
}
