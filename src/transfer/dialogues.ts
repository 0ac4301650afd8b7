/** Lines `{ "id", "services", "turns": [{ "speaker", "text", "retrieval" }] }`: real dialogues. */
import { dialogueBlock, isName, membersOf } from './dialogue-block.ts'
import { type Block, type LineContext, LineProblem } from './steps.ts'
import { isJson, type Json, type Utterance } from './utterances.ts'

const format = 'dialogues'

export const isDialogue = (line: unknown): line is Json & { turns: unknown[] } =>
  isJson(line) && Array.isArray(line.turns)

export function readDialogue(line: unknown, context: LineContext): Block {
  if (!isDialogue(line)) throw new LineProblem('is no dialogue: it has no list `turns`')
  const { id, turns, ...rest } = line
  const members = isName(id) || id === undefined ? rest : { id, ...rest }
  return dialogueBlock(
    {
      format,
      id,
      metadata: membersOf(format, members),
      kept: Object.keys(members).map((name) => `\`${name}\` of dialogues -> conversation metadata`),
      utterances: turns.map(utteranceOf),
    },
    context,
  )
}

function utteranceOf(original: unknown, index: number): Utterance {
  const wrong = (what: string) => new LineProblem(`is no dialogue: turns/${index} ${what}`)
  if (!isJson(original)) throw wrong('is no object')
  const { speaker, text, ...rest } = original
  if (typeof speaker !== 'string') throw wrong('has no `speaker`')
  if (typeof text !== 'string') throw wrong('has no `text`')
  const isAnswer = speaker === 'system'
  const { retrieval, ...others } = rest
  const lookups = isAnswer && 'retrieval' in rest
  const members = lookups ? others : rest
  const said = {
    original,
    ...(Object.keys(members).length > 0 ? { metadata: membersOf(format, members) } : {}),
    kept: [
      ...Object.keys(members).map((name) => `\`${name}\` of utterances -> metadata`),
      ...(lookups ? ['`retrieval` -> memoryRetrievalTrace.lookups'] : []),
    ],
  }
  if (isAnswer)
    return {
      ...said,
      by: 'ai',
      parts: [text],
      ...(lookups ? { trace: { lookups: retrieval } } : {}),
    }
  if (speaker !== 'user') return { by: 'other', what: `utterances of "${speaker}"`, original }
  if (text === '') return { by: 'other', what: 'user utterances without text', original }
  return { ...said, by: 'human', text }
}
