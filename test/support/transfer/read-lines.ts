import type { NewConversation, NewTurn } from '../../../src/conversation/wire/schemas.ts'
import { formatOf } from '../../../src/transfer/formats/formats.ts'
import { LineProblem } from '../../../src/transfer/formats/steps.ts'
import { parseSourced } from '../../../src/transfer/lines/sourced-json.ts'
import { contextOf } from './transfer.ts'

export type Read = { create: NewConversation; turns: NewTurn[]; relocated: Record<string, number> }

/**
 * Reads a line into the parts of a conversation. Ids and keys are left out, because they are
 * derived.
 */
export function read(line: unknown, split = (text: string) => [text]): Read {
  const json = parseSourced(JSON.stringify(line))
  const format = formatOf(json.value)
  if (format === undefined) throw new LineProblem('no format')
  const { steps } = format.read(json.value, contextOf(json, { ids: format.ids, split }))
  const relocated: Record<string, number> = {}
  const turns: NewTurn[] = []
  let create: NewConversation = {}
  for (const step of steps) {
    if (step.do !== 'create' && step.do !== 'record') throw new Error(step.do)
    for (const [what, n] of step.relocated) relocated[what] = (relocated[what] ?? 0) + n
    if (step.do === 'create') create = step.body
    else turns.push(step.turn)
  }
  return { create, turns: turns.map(withoutIds), relocated }
}

export function withoutIds({ user, assistant, ...rest }: NewTurn): NewTurn {
  const { id: _, ...answer } = assistant
  if (user === undefined) return { assistant: answer, ...rest }
  const { id: __, ...question } = user
  return { user: question, assistant: answer, ...rest }
}

/** An assistant message of a file. */
export const assistant = (content: unknown, more: object = {}) => ({
  role: 'assistant',
  content,
  ...more,
})

export type Json = Record<string, unknown>

/** The expected human half of a turn. */
export const human = (text: string, metadata?: Json) => ({ text, ...(metadata && { metadata }) })

/** The expected AI half of a turn. */
export const ai = (responses: string[], metadata?: Json) => ({
  responses,
  ...(metadata && { metadata }),
})

/** Metadata under the name of the format. */
export const openaiMetadata = (members: Json): Json => ({ openai: members })
