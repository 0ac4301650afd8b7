/** LiveKit Agents: a session report (`{ "chat_history": { "items" } }`), or a chat context (`{ "items" }`). */
import { isJson, type Json, without } from '../json-value.ts'
import { TimeReader } from '../message-times.ts'
import { type Block, type LineContext, LineProblem } from '../steps.ts'
import { type ChatMessage, chatBlock, objectsIn, speakers } from './chat-messages.ts'

const format = 'livekit'

export const livekitIds = ['id', 'job_id', 'room_id'] as const

function itemsIn(document: unknown): readonly unknown[] | undefined {
  if (!isJson(document)) return undefined
  const { items } = isJson(document.chat_history) ? document.chat_history : document
  return Array.isArray(items) && items.some(isItem) ? items : undefined
}

const isItem = (item: unknown): boolean =>
  isJson(item) &&
  item.type === 'message' &&
  typeof item.role === 'string' &&
  Array.isArray(item.content)

export const isLivekit = (document: unknown): boolean => itemsIn(document) !== undefined

export function readLivekit(document: unknown, context: LineContext): Block {
  const items = itemsIn(document)
  if (items === undefined || !isJson(document)) throw new LineProblem('has no `items` of LiveKit')
  const times = new TimeReader(context.numberText)
  return chatBlock(
    {
      format,
      messages: objectsIn(items).map((item) => messageOf(item, times)),
      members: without(document, 'chat_history', 'items', context.name?.member ?? ''),
      at: times.ofConversation(document),
      times,
    },
    context,
  )
}

function messageOf(item: Json, times: TimeReader): ChatMessage {
  const { type, role, content } = item
  if (type !== 'message')
    return {
      original: item,
      speaker: undefined,
      plural: `items of the type "${String(type)}"`,
      texts: [],
      at: undefined,
      members: {},
    }
  const blocks: unknown[] = Array.isArray(content) ? content : []
  const texts = blocks.flatMap((block) => textOf(block) ?? [])
  const files = blocks.filter((block) => textOf(block) === undefined)
  const at = times.ofMessage(item)
  const isVoice = role === 'user' && typeof item.transcript_confidence === 'number'
  return {
    original: item,
    speaker: speakers[String(role)],
    plural: `messages of the role "${String(role)}"`,
    ...(['user', 'assistant', 'system', 'developer'].includes(String(role))
      ? {}
      : { unknownRole: String(role) }),
    texts,
    id: item.id,
    at,
    members: {
      ...without(item, 'type', 'id', 'role', 'content', 'created_at', 'interrupted'),
      ...(files.length > 0 ? { content: files } : {}),
    },
    isVoice,
    // LiveKit cuts the text of an interrupted answer to the played part.
    ...(item.interrupted === true && at !== undefined ? { interruptedAt: at } : {}),
    unreadable: files.map((block) => (isJson(block) ? String(block.type) : typeof block)),
  }
}

function textOf(block: unknown): string | undefined {
  if (typeof block === 'string') return block
  if (!isJson(block)) return undefined
  const { type, transcript, text } = block
  if (type === 'audio_content' && typeof transcript === 'string') return transcript
  return type === 'text' && typeof text === 'string' ? text : undefined
}
