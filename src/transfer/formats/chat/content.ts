/** The content of a message: a text, or a list of texts and other blocks. */
import { isJson, type Json } from '../json-value.ts'
import { isEmpty } from './chat-messages.ts'

export type Content = {
  readonly texts: readonly string[]
  /** The list without its texts, if it holds anything else. */
  readonly rest?: unknown
  /** Types of blocks that show something to a person, such as images. */
  readonly unreadable: readonly string[]
}

const textTypes = ['text', 'input_text', 'output_text', 'text-plain']

/** Blocks that say nothing to a person: calls of tools, their results, and thoughts. */
const silentType = /tool|function|thinking|reasoning|thought|think|step|source|citation|data-|code/i

export function contentOf(content: unknown): Content {
  if (typeof content === 'string') return { texts: [content], unreadable: [] }
  if (!Array.isArray(content))
    return isEmpty(content)
      ? { texts: [], unreadable: [] }
      : { texts: [], rest: content, unreadable: ['a `content` that is no text and no list'] }
  const blocks: unknown[] = content
  const isText = (block: unknown) => textOf(block) !== undefined
  const texts = blocks.flatMap((block) => textOf(block) ?? [])
  const bare = blocks.map((block) => (isJson(block) && isText(block) ? withoutText(block) : block))
  const hasMore = bare.some((block) => isJson(block) && Object.keys(block).length > 1)
  return {
    texts,
    ...(hasMore ? { rest: bare } : {}),
    unreadable: blocks
      .filter((block) => !isText(block))
      .map((block) => (isJson(block) ? String(block.type) : typeof block))
      .filter((type) => !silentType.test(type)),
  }
}

function textOf(block: unknown): string | undefined {
  if (typeof block === 'string') return block
  if (!isJson(block) || !textTypes.includes(String(block.type))) return undefined
  const { text } = block
  if (typeof text === 'string') return text
  return isJson(text) && typeof text.value === 'string' ? text.value : undefined
}

/** A block of text says no more than its text if its state is `done`. */
const withoutText = (block: Json): Json =>
  Object.fromEntries(
    Object.entries(block).filter(
      ([name, value]) =>
        name !== 'text' && !isEmpty(value) && !(name === 'state' && value === 'done'),
    ),
  )
