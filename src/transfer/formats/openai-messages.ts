/** One message, or one item of the Responses API -> who said what, and what else is to be kept. */

import { canonicalId } from '../../conversation/wire/ids.ts'
import { isUuid } from '../../conversation/wire/validation.ts'
import { isJson, type Json } from './json-value.ts'
import type { TimeReader } from './message-times.ts'
import { resemblance } from './resemblance.ts'
import { LineProblem } from './steps.ts'
import { joinTexts, type Utterance } from './utterances.ts'

const format = 'openai'

const textTypes = ['text', 'input_text', 'output_text']
/** Besides those of the person and of the agent. */
const otherRoles = ['system', 'developer', 'tool', 'function']
/** Items of the Responses API that nobody says. */
const silentItem = /(^reasoning|_call|_output|item_reference|^mcp_|^compaction)/

export function utteranceOf(original: unknown, index: number, times: TimeReader): Utterance {
  const wrong = (what: string) => new LineProblem(`is no conversation: message ${index} ${what}`)
  if (!isJson(original)) throw wrong('is no object')
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
  const isOurId = typeof id === 'string' && isUuid(id)
  const names = Object.keys(original).filter(
    (name) =>
      name !== 'role' &&
      name !== 'content' &&
      !(name === 'type' && type === 'message') &&
      !(name === 'id' && isOurId) &&
      says(original[name]),
  )
  const message = {
    ...Object.fromEntries(names.map((name) => [name, original[name]])),
    ...(content.kept === undefined ? {} : { content: content.kept }),
  }
  const at = times.ofMessage(original)
  const said = {
    original,
    ...(isOurId ? { id: canonicalId(id) } : {}),
    ...(at === undefined ? {} : { at }),
    ...(Object.keys(message).length > 0 ? { metadata: { [format]: { message } } } : {}),
    kept: Object.keys(message).map(
      (name) => `\`${name}\` of messages -> metadata.${format}.message`,
    ),
  }
  if (role === 'assistant') {
    const parts = content.texts.length > 0 ? content.texts : spokenInstead(original)
    return { ...said, by: 'ai', parts }
  }
  const text = joinTexts(content.texts)
  if (text === '' && !content.voice)
    return { by: 'other', what: 'user messages without text', original }
  return { ...said, by: 'human', text, voice: content.voice }
}

/** A member that is null or an empty list says nothing. */
const says = (value: unknown): boolean =>
  value !== null && value !== undefined && !(Array.isArray(value) && value.length === 0)

/** What a person saw or heard where there is no content. */
function spokenInstead({ refusal, audio }: Json): string[] {
  const transcript = isJson(audio) ? audio.transcript : undefined
  return [refusal, transcript].filter((one) => typeof one === 'string').slice(0, 1)
}

type Content = {
  readonly texts: string[]
  /** Whether a person spoke. */
  readonly voice: boolean
  /** What the texts alone do not say. */
  readonly kept?: unknown
}

function contentOf(content: unknown, role: 'user' | 'assistant'): Content {
  if (typeof content === 'string') return { texts: content === '' ? [] : [content], voice: false }
  if (!says(content)) return { texts: [], voice: false }
  if (!Array.isArray(content)) return { texts: [], voice: false, kept: content }
  const items = content.map((item: unknown) => ({ item, text: textOf(item) }))
  const texts = items.flatMap(({ text }) => (text === undefined || text === '' ? [] : [text]))
  const voice =
    role === 'user' && content.some((item) => isJson(item) && item.type === 'input_audio')
  // The texts of an answer are its parts; those of a question lose their borders when joined.
  const asItCame = role === 'user' && texts.length > 1
  const bare = items.map(({ item, text }) => (text === undefined ? item : withoutText(item)))
  const more = bare.some(
    (item) =>
      !isJson(item) ||
      !textTypes.includes(String(item.type)) ||
      Object.keys(item).some((name) => name !== 'type'),
  )
  return { texts, voice, ...(asItCame ? { kept: content } : more ? { kept: bare } : {}) }
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
    (name) => !['text', 'refusal', 'transcript'].includes(name) && says(item[name]),
  )
  return Object.fromEntries(names.map((name) => [name, item[name]]))
}

/** Content of these says nothing to a person, and so is kept beside what is said. */
const silentContent = /(tool|function|thinking|reasoning)/

/** Why a person's or an agent's message would be lost from the history, if it would. */
function unreadContent(message: Json, { texts, voice }: Content): string | undefined {
  if (texts.length > 0 || voice || spokenInstead(message).length > 0) return undefined
  const { content, tool_calls: calls, function_call: call, audio } = message
  if (Array.isArray(message.parts) && message.parts.length > 0)
    return 'has `parts`, and no text in `content`'
  if (content === undefined && [calls, call, audio].every((one) => one === undefined))
    return 'has no `content`'
  if (!says(content) || content === '') return undefined
  if (!Array.isArray(content)) return 'has a `content` that is no text and no list'
  const types = content.map((item: unknown) => (isJson(item) ? String(item.type) : typeof item))
  const strange = types.filter((type) => !textTypes.includes(type) && !silentContent.test(type))
  if (strange.length === 0) return undefined
  const named = [...new Set(strange)].slice(0, 3).map((type) => type.slice(0, 40))
  return `has no text, only ${named.join(', ')}, which cannot be imported`
}
