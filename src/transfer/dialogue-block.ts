/** A dialogue, of a format with one a line -> the steps that make it a conversation. */
import { isUuid } from '../conversation/shape.ts'
import { conversationIdOf, idWithin } from './derived-ids.ts'
import type { Block, LineContext, Step } from './steps.ts'
import { type Json, metadataOf, turnsOf, type Utterance } from './utterances.ts'

export type Dialogue = {
  readonly format: string
  /** What the source calls it, if it is a text or a number. */
  readonly id: unknown
  readonly metadata: Json
  /** For the summary: `what -> where`. */
  readonly kept: readonly string[]
  readonly utterances: readonly Utterance[]
}

/** The service takes no longer one. */
const externalIdMax = 255

/** Whether a value can be the name of a dialogue. */
export const isName = (id: unknown): id is string | number =>
  (typeof id === 'string' && id !== '') || typeof id === 'number'

export function dialogueBlock(dialogue: Dialogue, { source, number, split }: LineContext): Block {
  const { format, utterances } = dialogue
  const id = isName(dialogue.id) ? String(dialogue.id) : undefined
  const conversationId = conversationIdOf(source, id === undefined ? { line: number } : { id })
  const { turns, extra, kept } = turnsOf(format, utterances, (name) =>
    idWithin(conversationId, name),
  )
  // So that it is found by the name it had.
  const externalId = id === undefined || isUuid(id) ? undefined : `${source}/${id}`
  const isLong = externalId !== undefined && externalId.length > externalIdMax
  const { metadata } = metadataOf(format, dialogue.metadata, {
    ...extra,
    ...(isLong ? { id } : {}),
  })
  const create: Step = {
    do: 'create',
    body: {
      id: conversationId,
      ...(externalId === undefined || isLong ? {} : { externalId }),
      ...(metadata === undefined || Object.keys(metadata).length === 0 ? {} : { metadata }),
    },
    kept: new Map([...kept, ...dialogue.kept.map((what) => [what, 1] as const)]),
  }
  const records = turns.map(({ turn, kept: keptInTurn }, n): Step => {
    const responses = turn.assistant.responses.flatMap(split)
    return {
      do: 'record',
      key: idWithin(conversationId, `turn ${n}`),
      turn: { ...turn, assistant: { ...turn.assistant, responses } },
      kept: keptInTurn,
    }
  })
  return { conversationId, steps: [create, ...records], begins: true, goesOn: false }
}

/** Members that come from outside must not stand in the way of what is kept under the format's name. */
export const membersOf = (format: string, members: Json): Json =>
  Object.hasOwn(members, format) ? { [format]: { members } } : members
