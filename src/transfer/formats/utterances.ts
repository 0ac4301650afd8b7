/**
 * Turns a list of messages into turns. Messages that a turn has no place for are kept unchanged in
 * metadata: in the conversation's metadata if they come before the first turn or after the last
 * one, otherwise in the metadata of the message that follows them.
 */
import { splitResponses } from '../../conversation/wire/render.ts'
import type { NewTurn } from '../../conversation/wire/schemas.ts'
import { isJson, type Json } from './json-value.ts'
import type { RelocatedCounts } from './steps.ts'

type Common = {
  /** The message as the file has it. */
  readonly original: unknown
  readonly id?: string
  readonly at?: string
  /** The message's metadata. Members that only the format has are under its name. */
  readonly metadata?: Json
  /** Values that were stored in another place, for the summary: `what -> where`. */
  readonly relocated?: readonly string[]
}

type Human = Common & { readonly by: 'human'; readonly text: string; readonly voice?: boolean }
type Ai = Common & { readonly by: 'ai'; readonly parts: readonly string[]; readonly trace?: Json }
type Other = {
  readonly by: 'other'
  /** The kind of message for the summary, in the plural. */
  readonly what: string
  readonly original: unknown
  /** A role, or a type in its place, that the format does not have. */
  readonly unknownRole?: string
}

export type Utterance = Human | Ai | Other

export type Turns = {
  readonly turns: readonly { readonly turn: NewTurn; readonly relocated: RelocatedCounts }[]
  /** Members of the conversation's metadata, under the name of the format. */
  readonly extra: Json
  readonly relocated: RelocatedCounts
}

/** Joins texts into one, with a blank line between them. */
export const joinTexts = (texts: readonly string[]): string => texts.join('\n\n')

export type TurnDefaults = {
  /** Makes an id for a message that has none. */
  readonly idOf: (name: string) => string
  /** The time of turns that have no time of their own. */
  readonly at: string | undefined
}

/** Makes the turns of a conversation. Each answer ends a turn. */
export function turnsOf(
  format: string,
  messages: readonly Utterance[],
  { idOf, at }: TurnDefaults,
): Turns {
  const utterances = messages.map(withText)
  const answers = utterances.flatMap((one, index) => (one.by === 'ai' ? [index] : []))
  const first = answers.length === 0 ? 0 : utterances.findIndex(({ by }) => by !== 'other')
  const relocated = new Map<string, number>()
  const where = `conversation metadata.${format}`
  const extra = {
    ...relocate('before', utterances.slice(0, first), where, relocated),
    ...relocate('after', utterances.slice((answers.at(-1) ?? -1) + 1), where, relocated),
  }
  const turns = answers.flatMap((end, n) => {
    const begin = n === 0 ? first : (answers[n - 1] ?? 0) + 1
    const answer = utterances[end]
    const preceding = utterances.slice(begin, end)
    return answer?.by === 'ai'
      ? [turnOf(format, preceding, answer, { idOf: (name) => idOf(`${name} ${n}`), at })]
      : []
  })
  return { turns, extra, relocated }
}

/** Turns an answer without text into an `other` message, because a turn needs text. */
const withText = (one: Utterance): Utterance =>
  one.by === 'ai' && splitResponses(one.parts).length === 0
    ? { by: 'other', what: 'answers without text', original: one.original }
    : one

/**
 * Makes the turn of an answer. `preceding` holds the messages between the previous answer and this
 * one.
 */
function turnOf(
  format: string,
  preceding: readonly Utterance[],
  answer: Ai,
  { idOf, at: defaultAt }: TurnDefaults,
): { turn: NewTurn; relocated: RelocatedCounts } {
  const relocated = new Map<string, number>()
  const where = `metadata.${format}`
  const begin = preceding.findIndex(({ by }) => by === 'human')
  const end = preceding.findLastIndex(({ by }) => by === 'human') + 1
  const isAlone = begin === -1
  const extra = relocate('before', preceding.slice(isAlone ? 0 : end), where, relocated)
  const { id = idOf('ai'), at, trace, parts, metadata } = answer
  for (const what of answer.relocated ?? []) increment(relocated, what)
  const user = isAlone
    ? undefined
    : userOf(
        format,
        preceding.slice(0, begin),
        preceding.slice(begin, end),
        idOf('human'),
        relocated,
      )
  // A message without a time gets the time of the other message of its turn, not the time of the
  // import.
  const userAt = user?.at ?? at ?? defaultAt
  // The service gives an answer without a time the time right after its question.
  const answerAt = user === undefined ? (at ?? defaultAt) : at
  return {
    turn: {
      ...(user === undefined
        ? {}
        : { user: { ...user, ...(userAt === undefined ? {} : { at: userAt }) } }),
      assistant: {
        id,
        responses: [...parts],
        ...(answerAt === undefined ? {} : { at: answerAt }),
        ...(trace === undefined ? {} : { memoryRetrievalTrace: trace }),
        ...metadataOf(format, metadata, extra),
      },
    },
    relocated,
  }
}

type User = NonNullable<NewTurn['user']>

/** Joins the messages of a person into one. `run` begins and ends with a message of the person. */
function userOf(
  format: string,
  before: readonly Utterance[],
  run: readonly Utterance[],
  derivedId: string,
  relocated: Map<string, number>,
): User {
  const where = `metadata.${format}`
  const people = run.filter((one) => one.by === 'human')
  const [only] = run.length === 1 ? people : []
  const at = people.findLast((one) => one.at !== undefined)?.at
  for (const what of only?.relocated ?? []) increment(relocated, what)
  const extra = {
    ...relocate('before', before, where, relocated),
    ...(only === undefined ? relocate('messages', run, where, relocated) : {}),
  }
  return {
    id: only?.id ?? derivedId,
    text: joinTexts(people.map(({ text }) => text)),
    ...(at === undefined ? {} : { at }),
    ...(people.every(({ voice }) => voice) ? { voice: {} } : {}),
    ...metadataOf(format, only?.metadata, extra),
  }
}

/**
 * Adds `extra` to the metadata under the format's name, next to the members that are already there.
 */
export function metadataOf(
  format: string,
  metadata: Json | undefined,
  extra: Json,
): { metadata?: Json } {
  const own = metadata?.[format]
  const merged = { ...(isJson(own) ? own : {}), ...extra }
  if (Object.keys(merged).length === 0) return metadata === undefined ? {} : { metadata }
  return { metadata: { ...metadata, [format]: merged } }
}

const plural = (one: Utterance, member: string): string => {
  if (one.by === 'other') return one.what
  return member === 'after' ? 'user messages without an answer' : 'user messages joined to one'
}

/** Makes the metadata member that holds these messages unchanged, and counts them. */
function relocate(
  member: string,
  list: readonly Utterance[],
  where: string,
  relocated: Map<string, number>,
): Json {
  for (const one of list) increment(relocated, `${plural(one, member)} -> ${where}.${member}`)
  return list.length === 0 ? {} : { [member]: list.map(({ original }) => original) }
}

function increment(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1)
}
