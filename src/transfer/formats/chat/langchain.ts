/**
 * LangChain's messages, in each form that its libraries write: `{ "type", "data" }` of
 * `messages_to_dict` and `toDict`, `{ "lc", "id", "kwargs" }` of `dumps` and `toJSON`, and
 * `{ "type", "content" }` of LangGraph's state.
 */
import { isJson, type Json, without } from '../json-value.ts'
import { TimeReader } from '../message-times.ts'
import { type Block, type LineContext, LineProblem } from '../steps.ts'
import { type ChatMessage, chatBlock, objectsIn } from './chat-messages.ts'
import { contentOf } from './content.ts'

const format = 'langchain'

/** LangGraph's thread stands in the configuration of a state. */
export const langchainIds = [
  'id',
  'thread_id',
  'session_id',
  'config/configurable/thread_id',
] as const

type Found = { readonly list: readonly unknown[]; readonly rest: Json }

export const isLangchain = (document: unknown): boolean => listIn(document) !== undefined

/** The list of messages in a document, and the document without it. */
function listIn(document: unknown): Found | undefined {
  if (Array.isArray(document))
    return hasMessages(document) ? { list: document, rest: {} } : undefined
  if (!isJson(document)) return undefined
  for (const name of ['messages', 'chat_memory', 'history', 'values', 'channel_values', 'kwargs']) {
    const inner = listIn(document[name])
    if (inner === undefined) continue
    const isWhole = Object.keys(inner.rest).length === 0
    return {
      list: inner.list,
      rest: { ...without(document, name), ...(isWhole ? {} : { [name]: inner.rest }) },
    }
  }
  return undefined
}

const hasMessages = (list: readonly unknown[]): boolean => {
  const first = list.find(isJson)
  return first !== undefined && partsOf(first) !== undefined
}

export function readLangchain(document: unknown, context: LineContext): Block {
  const found = listIn(document)
  if (found === undefined) throw new LineProblem('has no list of LangChain messages')
  const { list, rest } = found
  const times = new TimeReader(context.numberText)
  return chatBlock(
    {
      format,
      messages: objectsIn(list).map((message, index) => messageOf(message, index, times)),
      members: without(rest, context.name?.member ?? ''),
      at: times.ofConversation(rest),
      times,
    },
    context,
  )
}

/** The type of a message and its fields; undefined if it is none of LangChain's. */
function partsOf(message: Json): { type: string; fields: Json } | undefined {
  const { type, data, lc, id, kwargs, role } = message
  if (lc !== undefined && isJson(kwargs) && Array.isArray(id))
    return { type: String(id.at(-1)), fields: kwargs }
  if (typeof type !== 'string' || role !== undefined) return undefined
  if (isJson(data)) return { type, fields: data }
  return Object.hasOwn(message, 'content') && Object.hasOwn(kinds, plain(type))
    ? { type, fields: message }
    : undefined
}

/** `HumanMessage`, `HumanMessageChunk` and `human` are one type. */
const plain = (type: string): string => type.replace(/Message(Chunk)?$/, '').toLowerCase()

const kinds: Readonly<Record<string, 'human' | 'ai' | 'other'>> = {
  human: 'human',
  ai: 'ai',
  system: 'other',
  developer: 'other',
  tool: 'other',
  function: 'other',
  remove: 'other',
}

function messageOf(message: Json, index: number, times: TimeReader): ChatMessage {
  const parts = partsOf(message)
  if (parts === undefined)
    throw new LineProblem(`is no conversation: message ${index} is no message of LangChain`)
  const { type, fields } = parts
  const kind = kinds[plain(type)]
  const { texts, rest, unreadable } = contentOf(fields.content)
  return {
    original: message,
    speaker: kind === 'human' || kind === 'ai' ? kind : undefined,
    plural: `messages of the type "${type}"`,
    ...(kind === undefined ? { unknownRole: type } : {}),
    texts,
    id: fields.id,
    at: times.ofMessage(fields) ?? timeWithin(fields, times),
    members: {
      ...without(fields, 'content', 'type', 'id'),
      ...(rest === undefined ? {} : { content: rest }),
    },
    unreadable,
  }
}

/** LangChain has no member for a time: programs put it in one of these. */
function timeWithin(fields: Json, times: TimeReader): string | undefined {
  for (const name of ['additional_kwargs', 'response_metadata']) {
    const holder = fields[name]
    const at = isJson(holder) ? times.ofMessage(holder) : undefined
    if (at !== undefined) return at
  }
  return undefined
}
