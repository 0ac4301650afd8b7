/** Says which library's messages unreadable messages look like. */
import { isJson, type Json } from './json-value.ts'

/** Returns the library whose messages these look like, or undefined if they look like none. */
function ownerOf(messages: readonly unknown[]): string | undefined {
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
