/** Compares the stored turns of a conversation with the turns that an import is about to write. */
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

/**
 * Returns the stored messages of a refused turn if they are the messages that the turn would
 * record.
 */
export async function findStoredMessages(
  rest: Rest,
  conversationId: string,
  { exported, turn, seq }: Pick<Step & { do: 'record' }, 'exported' | 'turn' | 'seq'>,
): Promise<Message[] | undefined> {
  if (exported !== undefined) return storedExport(rest, conversationId, exported)
  return seq === undefined ? undefined : storedTurn(rest, conversationId, turn, seq)
}

/**
 * Returns the stored messages if they equal these. They can be stored although the turn was
 * refused: they were recorded under another key, or they complete their segment differently.
 */
async function storedExport(
  rest: Rest,
  conversationId: string,
  exported: readonly ExportedMessage[],
): Promise<Message[] | undefined> {
  const messages = await messagesAt(rest, conversationId, exported[0]?.seq ?? 1, exported.length)
  return isDeepStrictEqual(messages.map(permanentFields), exported.map(permanentFields))
    ? messages
    : undefined
}

/**
 * Returns the stored messages if they equal the turn's messages. Times are not compared, because
 * versions of Turnlog differ in the times that they understand.
 */
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

/** Resolves with true if a conversation holds exactly these turns. */
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
 * Finds out whether a conversation has turns of another source. It compares one message: the last
 * message of these turns that must be stored. One is enough, because turns are recorded in order.
 * Resolves with the `seq` of that message if another one is stored there, and otherwise with
 * undefined.
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

/** Resolves with the conversation, or with undefined if no conversation has or had this id. */
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

/** The fields of a conversation that the caller sets. */
export const descriptionOf = ({ externalId, title, metadata }: Conversation) => [
  externalId,
  title,
  metadata,
]

/** Fields of a message that may change later. The segment of a human message never changes. */
const changeableNames = ['segmentId', 'ttsAudioUrls', 'state', 'heard', 'interruptedAt']
/** Fields of a message that are not exported. */
const omittedNames = ['conversationId', 'turnId', 'version', 'content']

const permanentNames = Object.keys(MessageSchema.properties).filter(
  (name) => !changeableNames.includes(name) && !omittedNames.includes(name),
) as (keyof ExportedMessage)[]

/** The values of a message that never change. */
const permanentFields = (message: ExportedMessage): unknown[] => [
  message.role === 'human' ? message.segmentId : null,
  ...permanentNames.map((name) => message[name] ?? null),
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
