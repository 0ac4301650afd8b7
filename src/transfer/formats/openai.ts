/**
 * OpenAI's shapes, one conversation a line: chat messages as in fine-tuning files
 * (`{ "messages" }`), requests of the Batch API (`{ "custom_id", "body" }`), and requests with their
 * answers of the Responses API (`{ "input", "output" }`).
 */
import { dialogueBlock } from './dialogue-block.ts'
import { isJson, type Json } from './json-value.ts'
import { TimeReader } from './message-times.ts'
import { utteranceOf } from './openai-messages.ts'
import { type Block, type LineContext, LineProblem } from './steps.ts'
import { checkRoles } from './unread-messages.ts'

const format = 'openai'

const speakers = { messages: 'messages', role: 'role', human: 'user', ai: 'assistant' } as const

/** Where a line has its id. */
export const openaiIds = ['id', 'custom_id'] as const

export const isOpenai = (line: unknown): line is Json => isJson(line) && listIn(line) !== undefined

type Found = { readonly list: readonly unknown[]; readonly rest: Json }

/** The messages of a line, wherever they are, and the line without them. */
function listIn(line: Json): Found | undefined {
  if (Array.isArray(line.messages))
    return { list: line.messages, rest: without(line, ['messages']) }
  const { input, output, body } = line
  // Two texts, `input` and `output`, are what other formats have.
  if (Array.isArray(input) || (typeof input === 'string' && Array.isArray(output))) {
    const asked = Array.isArray(input) ? input : [{ role: 'user', content: input }]
    const answered = Array.isArray(output) ? output : []
    const taken = Array.isArray(output) ? ['input', 'output'] : ['input']
    return { list: [...asked, ...answered], rest: without(line, taken) }
  }
  const inner = isJson(body) ? listIn(body) : undefined
  return inner && { list: inner.list, rest: { ...line, body: inner.rest } }
}

/** What Turnlog has no member for stands under `line`, but for metadata, which it has. */
export function readOpenai(line: unknown, context: LineContext): Block {
  const found = isJson(line) ? listIn(line) : undefined
  if (found === undefined)
    throw new LineProblem('has neither a list `messages` nor an `input`: it is of another format')
  const { list, rest } = found
  const naming = context.name?.member
  const metadata =
    isJson(rest.metadata) && !Object.hasOwn(rest.metadata, format) ? rest.metadata : undefined
  const members = without(rest, [
    ...(naming === undefined ? [] : [naming]),
    ...(metadata === undefined ? [] : ['metadata']),
  ])
  const names = Object.keys(members)
  const times = new TimeReader(context.numberText)
  const utterances = list.map((message, index) => utteranceOf(message, index, times))
  const roleOf = (message: unknown) => (isJson(message) ? message.role : undefined)
  checkRoles(list, utterances, speakers, roleOf)
  return dialogueBlock(
    {
      format,
      metadata: { ...metadata, ...(names.length > 0 ? { [format]: { line: members } } : {}) },
      kept: [
        ...names.map((name) => `\`${name}\` of lines -> conversation metadata.${format}.line`),
        ...(metadata === undefined ? [] : ['`metadata` of lines -> conversation metadata']),
      ],
      utterances,
      at: times.ofConversation(rest),
      times,
    },
    context,
  )
}

/** Also right for a member called `__proto__`. */
export const without = (json: Json, names: readonly string[]): Json =>
  Object.fromEntries(Object.entries(json).filter(([name]) => !names.includes(name)))
