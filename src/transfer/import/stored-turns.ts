/** Compares what a service has stored with what an import is about to write. */
import { isDeepStrictEqual } from 'node:util'
import type { Rest } from '../../client/client.ts'
import { splitResponses } from '../../conversation/wire/render.ts'
import {
  type Conversation,
  type Message,
  Message as MessageSchema,
  type NewTurn,
} from '../../conversation/wire/schemas.ts'
import { messageIds } from '../formats/dialogue-block.ts'
import type { ExportedMessage } from '../formats/export-format.ts'
import type { Step } from '../formats/steps.ts'
import { refusalOf } from '../service-client.ts'

/** The stored messages of a turn that was refused, where they are the ones that it would record. */
export async function findStoredMessages(
  rest: Rest,
  conversationId: string,
  { exported, turn, seq }: Pick<Step & { do: 'record' }, 'exported' | 'turn' | 'seq'>,
): Promise<Message[] | undefined> {
  if (exported !== undefined) return storedExport(rest, conversationId, exported)
  return seq === undefined ? undefined : storedTurn(rest, conversationId, turn, seq)
}

/** The stored messages that equal these: they were recorded under another key, or complete their segment differently. */
async function storedExport(
  rest: Rest,
  conversationId: string,
  exported: readonly ExportedMessage[],
): Promise<Message[] | undefined> {
  const messages = await messagesAt(rest, conversationId, exported[0]?.seq ?? 1, exported.length)
  return isDeepStrictEqual(messages.map(lasting), exported.map(lasting)) ? messages : undefined
}

/** The stored messages that equal these but for their times, because versions differ in the times they understand. */
async function storedTurn(
  rest: Rest,
  conversationId: string,
  turn: NewTurn,
  seq: number,
): Promise<Message[] | undefined> {
  const expected = contentsOf(turn)
  const messages = await messagesAt(rest, conversationId, seq, expected.length)
  return isDeepStrictEqual(messages.map(contentOf), expected) ? messages : undefined
}

/** Whether a conversation holds these turns and no others. */
export async function holdsExactly(
  rest: Rest,
  conversationId: string,
  turns: readonly NewTurn[],
): Promise<boolean> {
  const expected = turns.flatMap(contentsOf)
  let count = 0
  for (;;) {
    const { messages, hasMore } = await rest.listMessages(conversationId, { after: count })
    const part = expected.slice(count, count + messages.length)
    if (!isDeepStrictEqual(messages.map(contentOf), part)) return false
    count += messages.length
    if (!hasMore) return count === expected.length
  }
}

/**
 * The `seq` of the last of these turns' messages that must be stored, if another message has it: then the
 * conversation has turns of another source. Turns are recorded in order, so one message is enough.
 */
export async function foreignMessageSeq(
  rest: Rest,
  conversationId: string,
  turns: readonly NewTurn[],
  lastSeq: number,
): Promise<number | undefined> {
  const ids = turns.flatMap(messageIds)
  const seq = Math.min(ids.length, lastSeq)
  if (seq === 0) return undefined
  const [message] = await messagesAt(rest, conversationId, seq, 1)
  return message?.id === ids[seq - 1] ? undefined : seq
}

/** The conversation; undefined where no conversation has, or had, this id. */
export async function findConversation(
  rest: Rest,
  conversationId: string,
): Promise<Conversation | undefined> {
  try {
    return await rest.getConversation(conversationId)
  } catch (error) {
    if (refusalOf(error)?.code === 'conversation-not-found') return undefined
    throw error
  }
}

async function messagesAt(
  rest: Rest,
  conversationId: string,
  seq: number,
  limit: number,
): Promise<Message[]> {
  const page = await rest.listMessages(conversationId, { after: seq - 1, limit })
  return page.messages
}

export const descriptionOf = ({ externalId, title, metadata }: Conversation) => [
  externalId,
  title,
  metadata,
]

/** What may change of a message, and what is not exported. Of a human message, the segment stays. */
const changing = ['segmentId', 'ttsAudioUrls', 'state', 'heard', 'interruptedAt']
const implied = ['conversationId', 'turnId', 'version', 'content']

const lastingNames = Object.keys(MessageSchema.properties).filter(
  (name) => !changing.includes(name) && !implied.includes(name),
) as (keyof ExportedMessage)[]

/** The fields of a message that never change. */
const lasting = (message: ExportedMessage): unknown[] => [
  message.role === 'human' ? message.segmentId : null,
  ...lastingNames.map((name) => message[name] ?? null),
]

const contentOf = ({ id, role, parts, metadata, memoryRetrievalTrace }: Message) => [
  [id, role, parts],
  metadata,
  memoryRetrievalTrace,
]

function contentsOf({ user, assistant }: NewTurn): unknown[] {
  const { id, responses, metadata = null, memoryRetrievalTrace = null } = assistant
  return [
    ...(user === undefined ? [] : [[[user.id, 'human', [user.text]], user.metadata ?? null, null]]),
    [[id, 'ai', splitResponses(responses)], metadata, memoryRetrievalTrace],
  ]
}
