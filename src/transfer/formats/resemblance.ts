/** Says what an unreadable value looks like, so that its owner knows how to convert it. */
import { isJson, type Json } from './json-value.ts'

/** Returns the reason why a value of unknown format is refused. */
export function unknownFormatText(value: unknown): string {
  if (Array.isArray(value)) return unknownListText(value)
  if (!isJson(value)) return unknown
  if (isJson(value.mapping)) return looksLike('a conversation of a ChatGPT export')
  if (isJson(value.chat_history)) return looksLike('a session report of LiveKit')
  if (Array.isArray(value.contents)) return looksLike('a request of the Gemini API')
  const list = value.conversations ?? value.conversation ?? value.chat
  const of = Array.isArray(list) ? ownerOf(list) : undefined
  return of === undefined ? unknown : looksLike(`a conversation of ${of}`)
}

const unknown = 'has none of the known formats (turnlog, openai, dialogues; see docs/importing.md)'

const looksLike = (what: string) => `${unknown}; it looks like ${what}`

function unknownListText(list: readonly unknown[]): string {
  const first = list.find(isJson)
  if (first === undefined) return `${unknown}: a line must be an object`
  if (isJson(first.mapping)) return looksLike(`${list.length} conversations of a ChatGPT export`)
  const isConversations = [first.messages, first.turns, first.conversations].some(Array.isArray)
  if (isConversations)
    return `is a list of ${list.length} conversations, and a line must be one: convert it with \`jq -c '.[]'\``
  const of = ownerOf(list)
  return of !== undefined && typeof first.role !== 'string'
    ? looksLike(`${list.length} messages of ${of}`)
    : `is a list of ${list.length} messages, and a line must be a conversation: convert it with \`jq -c '{messages: .}'\``
}

/** Returns the library whose messages these look like, or undefined if they look like none. */
export function ownerOf(messages: readonly unknown[]): string | undefined {
  const found = messages.filter(isJson)
  return owners.find(([, is]) => found.some(is))?.[0]
}

/**
 * Returns the end of a sentence about messages: `; they look like LangChain's`, or an empty text.
 */
export function resemblance(messages: readonly unknown[]): string {
  const of = ownerOf(messages)
  if (of === undefined) return ''
  return `; ${messages.length === 1 ? 'it looks' : 'they look'} like ${of}'s`
}

const langchainTypes = ['human', 'ai', 'AIMessageChunk', 'HumanMessage', 'AIMessage']

const owners: readonly (readonly [string, (message: Json) => boolean])[] = [
  [
    'LangChain',
    ({ type, data, lc, kwargs }) =>
      langchainTypes.includes(String(type)) || isJson(data) || (lc !== undefined && isJson(kwargs)),
  ],
  ['ShareGPT', ({ from, value }) => typeof from === 'string' && value !== undefined],
  ['ChatGPT', ({ author }) => isJson(author)],
  [
    'the AI SDK',
    ({ parts }) => Array.isArray(parts) && parts.some((part) => isJson(part) && 'type' in part),
  ],
  ['Gemini', ({ parts }) => Array.isArray(parts)],
  ['LiveKit', ({ type, interrupted }) => type === 'message' && typeof interrupted === 'boolean'],
]
