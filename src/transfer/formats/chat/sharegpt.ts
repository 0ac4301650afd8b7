/** ShareGPT's datasets: `{ "id", "conversations": [{ "from", "value" }] }`. */
import { isJson, type Json, without } from '../json-value.ts'
import { TimeReader } from '../message-times.ts'
import { type Block, type LineContext, LineProblem } from '../steps.ts'
import { type ChatMessage, chatBlock, objectsIn } from './chat-messages.ts'

const format = 'sharegpt'

export const sharegptIds = ['id', 'conversation_id'] as const

const lists = ['conversations', 'conversation', 'items'] as const

function listIn(document: unknown): { name: string; list: readonly unknown[] } | undefined {
  if (!isJson(document)) return undefined
  for (const name of lists) {
    const list = document[name]
    if (Array.isArray(list) && list.some(isTurn)) return { name, list }
  }
  return undefined
}

const isTurn = (one: unknown): boolean =>
  isJson(one) &&
  typeof (one.from ?? one.role) === 'string' &&
  typeof (one.value ?? one.content) === 'string'

export const isSharegpt = (document: unknown): boolean => listIn(document) !== undefined

export function readSharegpt(document: unknown, context: LineContext): Block {
  const found = listIn(document)
  if (found === undefined || !isJson(document))
    throw new LineProblem('has no list `conversations` of `from` and `value`')
  const rest = without(document, found.name, context.name?.member ?? '')
  const times = new TimeReader(context.numberText)
  return chatBlock(
    {
      format,
      messages: objectsIn(found.list).map((one) => messageOf(one, times)),
      title: rest.title,
      members: without(rest, 'title'),
      at: times.ofConversation(rest),
      times,
    },
    context,
  )
}

const people = ['human', 'user']
const agents = ['gpt', 'assistant', 'chatgpt', 'bing', 'bard', 'model', 'ai']
const others = ['system', 'tool', 'function', 'function_call', 'function_response', 'observation']

function messageOf(message: Json, times: TimeReader): ChatMessage {
  const from = String(message.from ?? message.role)
  const text = message.value ?? message.content
  const isKnown = [...people, ...agents, ...others].includes(from)
  return {
    original: message,
    speaker: people.includes(from) ? 'human' : agents.includes(from) ? 'ai' : undefined,
    plural: `messages from "${from}"`,
    ...(isKnown ? {} : { unknownRole: from }),
    texts: typeof text === 'string' ? [text] : [],
    id: message.id,
    at: times.ofMessage(message),
    members: without(message, 'from', 'role', 'value', 'content', 'id'),
  }
}
