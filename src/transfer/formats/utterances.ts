/**
 * Messages of a format without turns -> turns. Pure. What a turn has no member for is kept unchanged in
 * metadata: of the conversation if it stands before the first message or after the last, else of the
 * message that follows it.
 */
import { splitResponses } from '../../conversation/wire/render.ts'
import type { NewTurn } from '../../conversation/wire/schemas.ts'
import { isJson, type Json } from './json-value.ts'
import type { RelocatedCounts } from './steps.ts'

type Said = {
  /** The message as it came. */
  readonly original: unknown
  readonly id?: string
  readonly at?: string
  /** For the message's metadata; what is a format's own stands under its name. */
  readonly metadata?: Json
  /** For the summary: `what -> where`. */
  readonly kept?: readonly string[]
}

type Human = Said & { readonly by: 'human'; readonly text: string; readonly voice?: boolean }
type Ai = Said & { readonly by: 'ai'; readonly parts: readonly string[]; readonly trace?: Json }
/** `what` in the plural, for the summary. */
type Other = {
  readonly by: 'other'
  readonly what: string
  readonly original: unknown
  /** A role, or whatever stands for one, that the format does not have. */
  readonly unknownRole?: string
}

export type Utterance = Human | Ai | Other

export type Turns = {
  readonly turns: readonly { readonly turn: NewTurn; readonly kept: RelocatedCounts }[]
  /** For the conversation's metadata, under the name of the format. */
  readonly extra: Json
  readonly kept: RelocatedCounts
}

/** Joins several texts to one, with a blank line between them. */
export const joinTexts = (texts: readonly string[]): string => texts.join('\n\n')

export type TurnDefaults = {
  /** Makes an id for a message that has none. */
  readonly idOf: (name: string) => string
  /** The time of turns without any. */
  readonly at: string | undefined
}

export function turnsOf(
  format: string,
  given: readonly Utterance[],
  { idOf, at }: TurnDefaults,
): Turns {
  const utterances = given.map(withText)
  const answers = utterances.flatMap((one, index) => (one.by === 'ai' ? [index] : []))
  const first = answers.length === 0 ? 0 : utterances.findIndex(({ by }) => by !== 'other')
  const kept = new Map<string, number>()
  const where = `conversation metadata.${format}`
  const extra = {
    ...keep('before', utterances.slice(0, first), where, kept),
    ...keep('after', utterances.slice((answers.at(-1) ?? -1) + 1), where, kept),
  }
  const turns = answers.flatMap((end, n) => {
    const begin = n === 0 ? first : (answers[n - 1] ?? 0) + 1
    const answer = utterances[end]
    const asked = utterances.slice(begin, end)
    return answer?.by === 'ai'
      ? [turnOf(format, asked, answer, { idOf: (name) => idOf(`${name} ${n}`), at })]
      : []
  })
  return { turns, extra, kept }
}

/** An answer without text becomes an `other`: a turn needs text. */
const withText = (one: Utterance): Utterance =>
  one.by === 'ai' && splitResponses(one.parts).length === 0
    ? { by: 'other', what: 'answers without text', original: one.original }
    : one

/** The turn of an answer and of what came between it and the answer before. */
function turnOf(
  format: string,
  asked: readonly Utterance[],
  answer: Ai,
  { idOf, at: defaultAt }: TurnDefaults,
): { turn: NewTurn; kept: RelocatedCounts } {
  const kept = new Map<string, number>()
  const where = `metadata.${format}`
  const begin = asked.findIndex(({ by }) => by === 'human')
  const end = asked.findLastIndex(({ by }) => by === 'human') + 1
  const isAlone = begin === -1
  const extra = keep('before', asked.slice(isAlone ? 0 : end), where, kept)
  const { id = idOf('ai'), at, trace, parts, metadata } = answer
  for (const what of answer.kept ?? []) note(kept, what)
  const user = isAlone
    ? undefined
    : userOf(format, asked.slice(0, begin), asked.slice(begin, end), idOf('human'), kept)
  // A message without a time takes the time of the other one, not the time of the import.
  const userAt = user?.at ?? at ?? defaultAt
  // The service puts an answer without a time right behind its question.
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
    kept,
  }
}

type User = NonNullable<NewTurn['user']>

/** `run` begins and ends with what a person said. Several messages of a person become one. */
function userOf(
  format: string,
  before: readonly Utterance[],
  run: readonly Utterance[],
  derivedId: string,
  kept: Map<string, number>,
): User {
  const where = `metadata.${format}`
  const people = run.filter((one) => one.by === 'human')
  const [only] = run.length === 1 ? people : []
  const at = people.findLast((one) => one.at !== undefined)?.at
  for (const what of only?.kept ?? []) note(kept, what)
  const extra = {
    ...keep('before', before, where, kept),
    ...(only === undefined ? keep('messages', run, where, kept) : {}),
  }
  return {
    id: only?.id ?? derivedId,
    text: joinTexts(people.map(({ text }) => text)),
    ...(at === undefined ? {} : { at }),
    ...(people.every(({ voice }) => voice) ? { voice: {} } : {}),
    ...metadataOf(format, only?.metadata, extra),
  }
}

/** Adds what is kept under the format's name to metadata that may have that name already. */
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

function keep(
  member: string,
  list: readonly Utterance[],
  where: string,
  kept: Map<string, number>,
): Json {
  for (const one of list) note(kept, `${plural(one, member)} -> ${where}.${member}`)
  return list.length === 0 ? {} : { [member]: list.map(({ original }) => original) }
}

function note(kept: Map<string, number>, what: string): void {
  kept.set(what, (kept.get(what) ?? 0) + 1)
}
