/** The Gemini API: `{ "contents": [{ "role", "parts" }] }`, alone, as a request of a batch, as a chat's history, or of AI Studio. */
import { isJson, type Json, without } from '../json-value.ts'
import { TimeReader } from '../message-times.ts'
import { type Block, type LineContext, LineProblem } from '../steps.ts'
import { type ChatMessage, chatBlock, isEmpty, objectsIn } from './chat-messages.ts'

const format = 'gemini'

export const geminiIds = ['id', 'key', 'custom_id'] as const

type Found = { readonly list: readonly unknown[]; readonly rest: Json }

function listIn(document: unknown): Found | undefined {
  if (Array.isArray(document))
    return document.some(isContent) ? { list: document, rest: {} } : undefined
  if (!isJson(document)) return undefined
  for (const name of ['contents', 'history', 'request', 'chunkedPrompt', 'chunks']) {
    const found = name === 'chunks' ? chunksIn(document[name]) : listIn(document[name])
    if (found === undefined) continue
    const isWhole = Object.keys(found.rest).length === 0
    const rest = { ...without(document, name), ...(isWhole ? {} : { [name]: found.rest }) }
    return { list: [...found.list, ...answersIn(document)], rest: without(rest, 'candidates') }
  }
  return undefined
}

const isContent = (one: unknown): boolean =>
  isJson(one) &&
  Array.isArray(one.parts) &&
  (one.role === undefined || roles.some((role) => role === one.role))

/** AI Studio saves a prompt as chunks: `{ "text", "role" }`. */
function chunksIn(chunks: unknown): Found | undefined {
  if (!Array.isArray(chunks)) return undefined
  const list = objectsIn(chunks).map((chunk) => ({
    role: chunk.role,
    parts: [
      {
        ...without(chunk, 'role', 'isThought'),
        ...(chunk.isThought === true ? { thought: true } : {}),
      },
    ],
  }))
  return { list, rest: {} }
}

/** The answer that stands beside a request. */
function answersIn({ candidates, response }: Json): readonly unknown[] {
  const from = Array.isArray(candidates)
    ? candidates
    : isJson(response)
      ? response.candidates
      : undefined
  const [first] = Array.isArray(from) ? from : []
  return isJson(first) && isContent(first.content) ? [first.content] : []
}

const roles = ['user', 'model', 'function', 'system', 'tool']

export const isGemini = (document: unknown): boolean => listIn(document) !== undefined

export function readGemini(document: unknown, context: LineContext): Block {
  const found = listIn(document)
  if (found === undefined) throw new LineProblem('has no `contents` of Gemini')
  const { list, rest } = found
  const times = new TimeReader(context.numberText)
  return chatBlock(
    {
      format,
      messages: objectsIn(list).map((one) => messageOf(one, times)),
      members: without(rest, context.name?.member ?? ''),
      at: times.ofConversation(rest),
      times,
    },
    context,
  )
}

const speakers: Readonly<Record<string, 'human' | 'ai'>> = { user: 'human', model: 'ai' }
const silent = [
  'functionCall',
  'functionResponse',
  'executableCode',
  'codeExecutionResult',
  'thought',
]

function messageOf(message: Json, times: TimeReader): ChatMessage {
  const { role = 'user' } = message
  const parts = objectsIn(Array.isArray(message.parts) ? message.parts : [])
  const isText = ({ text, thought }: Json) => typeof text === 'string' && thought !== true
  const texts = parts.filter(isText).map(({ text }) => String(text))
  const more = parts.filter(
    (part) => !isText(part) || Object.keys(without(part, 'text')).length > 0,
  )
  const isResult =
    parts.length > 0 && parts.every(({ functionResponse }) => functionResponse !== undefined)
  return {
    original: message,
    speaker: isResult ? undefined : speakers[String(role)],
    plural: isResult ? 'function responses' : `messages of the role "${String(role)}"`,
    ...(roles.includes(String(role)) ? {} : { unknownRole: String(role) }),
    texts,
    id: message.id,
    at: times.ofMessage(message),
    members: {
      ...without(message, 'role', 'parts', 'id'),
      ...(isEmpty(more) ? {} : { parts: more }),
    },
    unreadable: parts
      .filter((part) => !isText(part))
      .map((part) => Object.keys(part)[0] ?? 'empty')
      .filter((name) => !silent.includes(name) && name !== 'text'),
  }
}
