/**
 * Reads one message, or one item of the Responses API: its role, its text, and all other members to
 * keep.
 */

import { canonicalId } from '../../conversation/wire/ids.ts'
import { isUuid } from '../../conversation/wire/validation.ts'
import { isJson, type Json } from './json-value.ts'
import type { TimeReader } from './message-times.ts'
import { resemblance } from './resemblance.ts'
import { LineProblem } from './steps.ts'
import { joinTexts, type Utterance } from './utterances.ts'

const format = 'openai'

const textTypes = ['text', 'input_text', 'output_text']
/** Known roles besides `user` and `assistant`. */
const otherRoles = ['system', 'developer', 'tool', 'function']
/** Types of items of the Responses API that no person and no agent says. */
const silentItem = /(^reasoning|_call|_output|item_reference|^mcp_|^compaction)/

/**
 * Throws a `LineProblem` for a message that cannot be read. `index` is its position in the line,
 * from 0.
 */
export function utteranceOf(original: unknown, index: number, times: TimeReader): Utterance {
  const wrong = (what: string) => new LineProblem(`is not a conversation: message ${index} ${what}`)
  if (!isJson(original)) throw wrong('is not an object')
  const { role, type } = original
  if (typeof role !== 'string') {
    if (typeof type !== 'string') throw wrong(`has no \`role\`${resemblance([original])}`)
    const what = `items of the type "${type}"`
    return { by: 'other', what, original, ...(silentItem.test(type) ? {} : { unknownRole: type }) }
  }
  if (role !== 'user' && role !== 'assistant') {
    const what = `messages of the role "${role}"`
    return {
      by: 'other',
      what,
      original,
      ...(otherRoles.includes(role) ? {} : { unknownRole: role }),
    }
  }
  const content = contentOf(original.content, role)
  const unread = unreadContent(original, content)
  if (unread !== undefined) throw wrong(`${unread}${resemblance([original])}`)
  const { id } = original
  const isUsableId = typeof id === 'string' && isUuid(id)
  const names = Object.keys(original).filter(
    (name) =>
      name !== 'role' &&
      name !== 'content' &&
      !(name === 'type' && type === 'message') &&
      !(name === 'id' && isUsableId) &&
      hasContent(original[name]),
  )
  const message = {
    ...Object.fromEntries(names.map((name) => [name, original[name]])),
    ...(content.remainder === undefined ? {} : { content: content.remainder }),
  }
  const at = times.ofMessage(original)
  const common = {
    original,
    ...(isUsableId ? { id: canonicalId(id) } : {}),
    ...(at === undefined ? {} : { at }),
    ...(Object.keys(message).length > 0 ? { metadata: { [format]: { message } } } : {}),
    relocated: Object.keys(message).map(
      (name) => `\`${name}\` of messages -> metadata.${format}.message`,
    ),
  }
  if (role === 'assistant') {
    const parts = content.texts.length > 0 ? content.texts : spokenInstead(original)
    return { ...common, by: 'ai', parts }
  }
  const text = joinTexts(content.texts)
  if (text === '' && !content.voice)
    return { by: 'other', what: 'user messages without text', original }
  return { ...common, by: 'human', text, voice: content.voice }
}

/** Whether a member has content: it is neither null nor an empty list. */
const hasContent = (value: unknown): boolean =>
  value !== null && value !== undefined && !(Array.isArray(value) && value.length === 0)

/**
 * Returns the text that a person saw or heard if the message has no content: a refusal, or a
 * transcript.
 */
function spokenInstead({ refusal, audio }: Json): string[] {
  const transcript = isJson(audio) ? audio.transcript : undefined
  return [refusal, transcript].filter((one) => typeof one === 'string').slice(0, 1)
}

type Content = {
  readonly texts: string[]
  /** Whether a person spoke the message. */
  readonly voice: boolean
  /** The content that the texts do not hold. */
  readonly remainder?: unknown
}

function contentOf(content: unknown, role: 'user' | 'assistant'): Content {
  if (typeof content === 'string') return { texts: content === '' ? [] : [content], voice: false }
  if (!hasContent(content)) return { texts: [], voice: false }
  if (!Array.isArray(content)) return { texts: [], voice: false, remainder: content }
  const items = content.map((item: unknown) => ({ item, text: textOf(item) }))
  const texts = items.flatMap(({ text }) => (text === undefined || text === '' ? [] : [text]))
  const voice =
    role === 'user' && content.some((item) => isJson(item) && item.type === 'input_audio')
  // The texts of an answer become its parts. The texts of a question are joined, so the list is
  // kept, too.
  const isJoined = role === 'user' && texts.length > 1
  const bare = items.map(({ item, text }) => (text === undefined ? item : withoutText(item)))
  const hasRemainder = bare.some(
    (item) =>
      !isJson(item) ||
      !textTypes.includes(String(item.type)) ||
      Object.keys(item).some((name) => name !== 'type'),
  )
  return {
    texts,
    voice,
    ...(isJoined ? { remainder: content } : hasRemainder ? { remainder: bare } : {}),
  }
}

function textOf(item: unknown): string | undefined {
  if (typeof item === 'string') return item
  if (!isJson(item)) return undefined
  const { type, text, refusal, transcript } = item
  const found =
    type === 'refusal'
      ? refusal
      : type === 'input_audio'
        ? transcript
        : textTypes.includes(String(type))
          ? text
          : undefined
  return typeof found === 'string' ? found : undefined
}

function withoutText(item: unknown): Json {
  if (!isJson(item)) return { type: 'text' }
  const names = Object.keys(item).filter(
    (name) => !['text', 'refusal', 'transcript'].includes(name) && hasContent(item[name]),
  )
  return Object.fromEntries(names.map((name) => [name, item[name]]))
}

/** Types of content that a person does not see. They are kept in the metadata. */
const silentContent = /(tool|function|thinking|reasoning)/

/** Returns why the text of a user or assistant message cannot be read, or undefined if it can. */
function unreadContent(message: Json, { texts, voice }: Content): string | undefined {
  if (texts.length > 0 || voice || spokenInstead(message).length > 0) return undefined
  const { content, tool_calls: calls, function_call: call, audio } = message
  if (Array.isArray(message.parts) && message.parts.length > 0)
    return 'has `parts`, but no text in `content`'
  if (content === undefined && [calls, call, audio].every((one) => one === undefined))
    return 'has no `content`'
  if (!hasContent(content) || content === '') return undefined
  if (!Array.isArray(content)) return 'has a `content` that is neither a text nor a list'
  const types = content.map((item: unknown) => (isJson(item) ? String(item.type) : typeof item))
  const unreadable = types.filter((type) => !textTypes.includes(type) && !silentContent.test(type))
  if (unreadable.length === 0) return undefined
  const named = [...new Set(unreadable)].slice(0, 3).map((type) => type.slice(0, 40))
  return `has no text, only ${named.join(', ')}, which cannot be imported`
}
