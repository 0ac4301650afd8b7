/** Turns a dialogue that is one line into the steps that import it as a conversation. */

import type { NewTurn } from '../../conversation/wire/schemas.ts'
import { isUuid } from '../../conversation/wire/validation.ts'
import { conversationIdOf, idWithin } from './derived-ids.ts'
import type { Json } from './json-value.ts'
import type { TimeReader } from './message-times.ts'
import { type Block, type LineContext, LineProblem, type Step } from './steps.ts'
import { metadataOf, type Turns, turnsOf, type Utterance } from './utterances.ts'

export type Dialogue = {
  readonly format: string
  readonly metadata: Json
  /** Values that were stored in another place, for the summary: `what -> where`. */
  readonly relocated: readonly string[]
  readonly utterances: readonly Utterance[]
  /** The time at which the conversation began. */
  readonly at: string | undefined
  readonly times: TimeReader
}

/** Maximum length of an external id in characters. The service refuses longer ones. */
const externalIdMax = 255

/** Throws a `LineProblem` if two messages of the dialogue have the same id. */
export function dialogueBlock(dialogue: Dialogue, context: LineContext): Block {
  const { format, utterances, at, times } = dialogue
  const { conversationId, name, earlierId, externalPrefix, split } = context
  const turnsWithin = (id: string) => {
    const found = turnsOf(format, utterances, { idOf: (one) => idWithin(id, one), at })
    const turns = found.turns.map(({ turn, relocated }) => ({
      turn: withParts(turn, split),
      relocated,
    }))
    return { ...found, turns }
  }
  const { turns, extra, relocated } = turnsWithin(conversationId)
  checkIds(turns.map(({ turn }) => turn))
  const isOwnId = name !== undefined && isUuid(name.id)
  // With the external id, the conversation can be found by the id that it had in the file.
  const externalId = name === undefined || isOwnId ? undefined : `${externalPrefix}/${name.id}`
  const isLong = externalId !== undefined && externalId.length > externalIdMax
  const { metadata } = metadataOf(format, dialogue.metadata, {
    ...extra,
    ...(isLong ? { id: name?.id } : {}),
  })
  const idByFileName = name === undefined ? undefined : conversationIdOf(externalPrefix, name)
  const [first] = turns
  const createdAt = at ?? first?.turn.user?.at ?? first?.turn.assistant.at
  const create: Step = {
    do: 'create',
    body: {
      id: conversationId,
      ...(externalId === undefined || isLong ? {} : { externalId }),
      ...(metadata === undefined || Object.keys(metadata).length === 0 ? {} : { metadata }),
      ...(createdAt === undefined ? {} : { createdAt }),
    },
    whole: {
      turns: turns.map(({ turn }) => turn),
      earlier:
        earlierId === undefined
          ? undefined
          : {
              conversationId: earlierId,
              turns: turnsWithin(earlierId).turns.map(({ turn }) => turn),
            },
      idByFileName: idByFileName === conversationId ? undefined : idByFileName,
      hasOwnId: isOwnId,
      externalPrefix,
      advice: isOwnId
        ? 'Give the line another id to import it as a conversation of its own.'
        : 'Another `--source` imports the line as a conversation of its own.',
    },
    relocated: new Map([...relocated, ...dialogue.relocated.map((what) => [what, 1] as const)]),
  }
  const steps = [create, ...recordsOf(conversationId, turns)]
  return { conversationId, steps, begins: true, continues: false, unusedTimes: times.unused }
}

function recordsOf(conversationId: string, turns: Turns['turns']): Step[] {
  let seq = 1
  return turns.map(({ turn, relocated }, n) => {
    const key = idWithin(conversationId, `turn ${n}`)
    const step = { do: 'record', key, turn, seq, relocated } as const
    seq += messageIds(turn).length
    return step
  })
}

/** Returns the ids of a turn's messages, in order. */
export const messageIds = ({ user, assistant }: NewTurn): string[] =>
  [user?.id, assistant.id].filter((id) => id !== undefined)

const withParts = (turn: NewTurn, split: (text: string) => string[]): NewTurn => ({
  ...turn,
  assistant: { ...turn.assistant, responses: turn.assistant.responses.flatMap(split) },
})

/**
 * Refuses two messages with one id: the service would refuse the second one amid the conversation.
 */
function checkIds(turns: readonly NewTurn[]): void {
  const ids = new Set<string>()
  for (const id of turns.flatMap(messageIds)) {
    if (ids.has(id)) throw new LineProblem(`has two messages with the id ${id}`)
    ids.add(id)
  }
}

/**
 * Moves the members of a line below the format's name if one of them has that name, to avoid a
 * conflict.
 */
export const membersOf = (format: string, members: Json): Json =>
  Object.hasOwn(members, format) ? { [format]: { members } } : members
