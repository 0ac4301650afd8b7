/**
 * The format `dialogues`: lines `{ "id", "services", "turns": [{ "speaker", "text", "retrieval" }]
 * }`.
 */
import { dialogueBlock, membersOf } from './dialogue-block.ts'
import { isJson, type Json } from './json-value.ts'
import { TimeReader } from './message-times.ts'
import { type Block, type LineContext, LineProblem } from './steps.ts'
import { checkRoles } from './unread-messages.ts'
import type { Utterance } from './utterances.ts'

const format = 'dialogues'

const speakers = { messages: 'utterances', role: 'speaker', human: 'user', ai: 'system' } as const

/** The members in which a line may have its id. */
export const dialogueIds = ['id'] as const

export const isDialogue = (line: unknown): line is Json & { turns: unknown[] } =>
  isJson(line) && Array.isArray(line.turns)

export function readDialogue(line: unknown, context: LineContext): Block {
  if (!isDialogue(line)) throw new LineProblem('is not a dialogue: it has no list `turns`')
  const { id, turns, ...rest } = line
  const members = context.name !== undefined || id === undefined ? rest : { id, ...rest }
  const times = new TimeReader(context.numberText)
  const utterances = turns.map((turn, index) => utteranceOf(turn, index, times))
  const speakerOf = (turn: unknown) => (isJson(turn) ? turn.speaker : undefined)
  checkRoles(turns, utterances, speakers, speakerOf)
  return dialogueBlock(
    {
      format,
      metadata: membersOf(format, members),
      relocated: Object.keys(members).map(
        (name) => `\`${name}\` of dialogues -> conversation metadata`,
      ),
      utterances,
      at: times.ofConversation(rest),
      times,
    },
    context,
  )
}

function utteranceOf(original: unknown, index: number, times: TimeReader): Utterance {
  const wrong = (what: string) => new LineProblem(`is not a dialogue: turns/${index} ${what}`)
  if (!isJson(original)) throw wrong('is not an object')
  const { speaker, text, ...rest } = original
  if (typeof speaker !== 'string') throw wrong('has no `speaker`')
  if (typeof text !== 'string') throw wrong('has no `text`')
  const isAnswer = speaker === 'system'
  const { retrieval, ...others } = rest
  const lookups = isAnswer && 'retrieval' in rest
  const members = lookups ? others : rest
  const at = times.ofMessage(original)
  const common = {
    original,
    ...(at === undefined ? {} : { at }),
    ...(Object.keys(members).length > 0 ? { metadata: membersOf(format, members) } : {}),
    relocated: [
      ...Object.keys(members).map((name) => `\`${name}\` of utterances -> metadata`),
      ...(lookups ? ['`retrieval` -> memoryRetrievalTrace.lookups'] : []),
    ],
  }
  if (isAnswer)
    return {
      ...common,
      by: 'ai',
      parts: [text],
      ...(lookups ? { trace: { lookups: retrieval } } : {}),
    }
  if (speaker !== 'user')
    return { by: 'other', what: `utterances of "${speaker}"`, original, unknownRole: speaker }
  if (text === '') return { by: 'other', what: 'user utterances without text', original }
  return { ...common, by: 'human', text }
}
