/**
 * Turns the messages of a chat library into a conversation. Members that Turnlog does not have become
 * metadata.
 */
import { canonicalId } from '../../../conversation/wire/ids.ts'
import { isUuid } from '../../../conversation/wire/validation.ts'
import { dialogueBlock } from '../dialogue-block.ts'
import { isJson, type Json } from '../json-value.ts'
import type { TimeReader } from '../message-times.ts'
import { type Block, type LineContext, LineProblem } from '../steps.ts'
import { joinTexts, type Utterance } from '../utterances.ts'

/** One message as its library's reader understands it. */
export type ChatMessage = {
  /** The message as the file has it. */
  readonly original: Json
  /** `undefined`: neither the person nor the agent speaks, as in a tool's result. */
  readonly speaker: 'human' | 'ai' | undefined
  /** The kind of message for the summary, in the plural, if neither the person nor the agent speaks. */
  readonly plural: string
  /** A role that the library does not document, so the reader cannot say who speaks. */
  readonly unknownRole?: string
  readonly texts: readonly string[]
  readonly id?: unknown
  readonly at: string | undefined
  /** Members to keep in the message's metadata. */
  readonly members: Json
  /** The person spoke aloud. */
  readonly isVoice?: boolean
  /** When the listener interrupted the answer, whose texts are what the listener heard. */
  readonly interruptedAt?: string
  /** Kinds of content that a history would lose, such as an image without a text. */
  readonly unreadable?: readonly string[]
}

export type Chat = {
  /** The name of the format: metadata is kept under it. */
  readonly format: string
  readonly messages: readonly ChatMessage[]
  /** Members of the document that Turnlog has no member for. */
  readonly members: Json
  readonly title?: unknown
  readonly at: string | undefined
  readonly times: TimeReader
  /** Counts of messages that are not imported, by their kind in the plural. */
  readonly leftOut?: ReadonlyMap<string, number>
}

const unknownRolesMax = 3

export function chatBlock(chat: Chat, context: LineContext): Block {
  const { format, messages, title, at, times, leftOut } = chat
  checkRoles(messages)
  const hasTitle = typeof title === 'string' && title !== '' && title.length <= titleMax
  const members = {
    ...chat.members,
    ...(hasTitle || isEmpty(title) ? {} : { title }),
  }
  const names = Object.keys(members)
  return dialogueBlock(
    {
      format,
      ...(hasTitle ? { title } : {}),
      metadata: names.length > 0 ? { [format]: { document: members } } : {},
      relocated: names.map(
        (name) => `\`${name}\` of documents -> conversation metadata.${format}.document`,
      ),
      utterances: messages.map((message, index) => utteranceOf(format, message, index)),
      at,
      times,
      ...(leftOut === undefined ? {} : { leftOut }),
    },
    context,
  )
}

/** Characters of a title: the service refuses longer ones. */
const titleMax = 1000

function utteranceOf(format: string, message: ChatMessage, index: number): Utterance {
  const { original, speaker, plural, texts, id, at, unknownRole, unreadable = [] } = message
  const other = (what: string): Utterance => ({
    by: 'other',
    what,
    original,
    ...(unknownRole === undefined ? {} : { unknownRole }),
  })
  if (speaker === undefined) return other(plural)
  const spoken = texts.filter((text) => text !== '')
  if (spoken.length === 0 && message.isVoice !== true && unreadable.length > 0)
    throw new LineProblem(
      `is no conversation: message ${index} has no text, only ${[...new Set(unreadable)].slice(0, 3).join(', ')}, which cannot be imported`,
    )
  if (spoken.length === 0 && message.isVoice !== true)
    return other(speaker === 'ai' ? 'answers without text' : 'user messages without text')
  const members = spokenMembers(message)
  const isOurId = typeof id === 'string' && isUuid(id)
  const said = {
    original,
    ...(isOurId ? { id: canonicalId(id) } : {}),
    ...(at === undefined ? {} : { at }),
    ...(Object.keys(members).length > 0 ? { metadata: { [format]: { message: members } } } : {}),
    relocated: Object.keys(members).map(
      (name) => `\`${name}\` of messages -> metadata.${format}.message`,
    ),
  }
  if (speaker === 'human')
    return { ...said, by: 'human', text: joinTexts(spoken), voice: message.isVoice === true }
  const { interruptedAt } = message
  return {
    ...said,
    by: 'ai',
    parts: spoken,
    ...(interruptedAt === undefined ? {} : { interruptedAt }),
  }
}

/** The members of a message that hold something, and its id where it cannot be the message's own. */
function spokenMembers({ members, id }: ChatMessage): Json {
  const isKept = typeof id !== 'string' || !isUuid(id)
  const named = isKept && !isEmpty(id) ? { id } : {}
  return {
    ...named,
    ...Object.fromEntries(Object.entries(members).filter(([, value]) => !isEmpty(value))),
  }
}

/** Whether a value holds nothing: null, an empty text, list or object. */
export function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === '') return true
  if (Array.isArray(value)) return value.length === 0
  return isJson(value) && Object.keys(value).length === 0
}

/** Refuses a conversation in which a message of an unknown role may be the person's or the agent's. */
function checkRoles(messages: readonly ChatMessage[]): void {
  const unknown = messages.flatMap(({ unknownRole }) =>
    unknownRole === undefined ? [] : [unknownRole],
  )
  if (unknown.length === 0) return
  const hasBoth = (['human', 'ai'] as const).every((one) =>
    messages.some(({ speaker }) => speaker === one),
  )
  if (hasBoth) return
  const names = [...new Set(unknown)]
    .slice(0, unknownRolesMax)
    .map((name) => JSON.stringify(name.slice(0, 40)))
  throw new LineProblem(
    `${unknown.length} of ${messages.length} messages have an unknown role (${names.join(', ')})`,
  )
}

/** The speaker of a role, in libraries that call the two `user` and `assistant`. */
export const speakers: Readonly<Record<string, 'human' | 'ai'>> = { user: 'human', assistant: 'ai' }

/** The objects of a list; anything else in it is refused with its index. */
export function objectsIn(list: readonly unknown[]): Json[] {
  return list.map((one, index) => {
    if (!isJson(one)) throw new LineProblem(`is no conversation: message ${index} is no object`)
    return one
  })
}
