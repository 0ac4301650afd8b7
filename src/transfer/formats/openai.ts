/**
 * The format `openai`, one conversation a document. Four shapes are read: a bare list of chat
 * messages, as Pipecat stores its context; chat messages as in fine-tuning files
 * (`{ "messages" }`); requests of the Batch API (`{ "custom_id", "body" }`); and requests of the
 * Responses API with their answers (`{ "input", "output" }`).
 */
import { dialogueBlock } from './dialogue-block.ts'
import { isJson, type Json, without } from './json-value.ts'
import { TimeReader } from './message-times.ts'
import { utteranceOf } from './openai-messages.ts'
import { type Block, type LineContext, LineProblem } from './steps.ts'
import { checkRoles } from './unread-messages.ts'

const format = 'openai'

const speakers = { messages: 'messages', role: 'role', human: 'user', ai: 'assistant' } as const

/** The members in which a line may have its id. */
export const openaiIds = ['id', 'custom_id'] as const

export const isOpenai = (line: unknown): boolean => listIn(line) !== undefined

/** The messages of a line, and the line without them. */
type Located = { readonly list: readonly unknown[]; readonly rest: Json }

/** Finds the messages of a line. Returns undefined if the line has none of the shapes. */
function listIn(line: unknown): Located | undefined {
  if (Array.isArray(line)) return line.some(isMessage) ? { list: line, rest: {} } : undefined
  if (!isJson(line)) return undefined
  if (Array.isArray(line.messages)) return { list: line.messages, rest: without(line, 'messages') }
  const { input, output, body } = line
  // A line whose `input` and `output` are both texts has another format.
  if (Array.isArray(input) || (typeof input === 'string' && Array.isArray(output))) {
    const questions = Array.isArray(input) ? input : [{ role: 'user', content: input }]
    const answers = Array.isArray(output) ? output : []
    const listNames = Array.isArray(output) ? ['input', 'output'] : ['input']
    return { list: [...questions, ...answers], rest: without(line, ...listNames) }
  }
  const inner = isJson(body) ? listIn(body) : undefined
  return inner && { list: inner.list, rest: { ...line, body: inner.rest } }
}

const isMessage = (one: unknown): boolean => isJson(one) && typeof one.role === 'string'

/**
 * Reads a line. Its metadata becomes the conversation's metadata. Members that Turnlog has no
 * member for are stored under `metadata.openai.line`. Throws a `LineProblem` for a line that cannot
 * be read.
 */
export function readOpenai(line: unknown, context: LineContext): Block {
  const found = listIn(line)
  if (found === undefined)
    throw new LineProblem('has neither a list `messages` nor an `input`: it is of another format')
  const { list, rest } = found
  const naming = context.name?.member
  const metadata =
    isJson(rest.metadata) && !Object.hasOwn(rest.metadata, format) ? rest.metadata : undefined
  const members = without(
    rest,
    ...(naming === undefined ? [] : [naming]),
    ...(metadata === undefined ? [] : ['metadata']),
  )
  const names = Object.keys(members)
  const times = new TimeReader(context.numberText)
  const utterances = list.map((message, index) => utteranceOf(message, index, times))
  const roleOf = (message: unknown) => (isJson(message) ? message.role : undefined)
  checkRoles(list, utterances, speakers, roleOf)
  return dialogueBlock(
    {
      format,
      metadata: { ...metadata, ...(names.length > 0 ? { [format]: { line: members } } : {}) },
      relocated: [
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
