/** Compares what a service has stored already with what an import is about to write. */
import { isDeepStrictEqual } from 'node:util'
import { splitResponses } from '../../conversation/wire/render.ts'
import type {
  Conversation,
  Message,
  MessagePage,
  NewTurn,
} from '../../conversation/wire/schemas.ts'
import { messageIds } from '../formats/dialogue-block.ts'
import type { ExportedMessage } from '../formats/export-format.ts'
import type { Step } from '../formats/steps.ts'
import { Refused, type Rest } from '../rest.ts'

/** The messages of a step that was refused, where they stand there although it would not record them. */
export async function standing(
  rest: Rest,
  path: string,
  { exported, turn, seq }: Pick<Step & { do: 'record' }, 'exported' | 'turn' | 'seq'>,
): Promise<Message[] | undefined> {
  if (exported !== undefined) return standingExport(rest, path, exported)
  return seq === undefined ? undefined : standingTurn(rest, path, turn, seq)
}

/** The same messages: recorded under another key, or completing otherwise. */
async function standingExport(
  rest: Rest,
  path: string,
  exported: readonly ExportedMessage[],
): Promise<Message[] | undefined> {
  const messages = await messagesAt(rest, path, exported[0]?.seq ?? 1, exported.length)
  return isDeepStrictEqual(messages.map(lasting), exported.map(lasting)) ? messages : undefined
}

/** The same messages but for their times: which times an import understands may change with versions. */
async function standingTurn(
  rest: Rest,
  path: string,
  turn: NewTurn,
  seq: number,
): Promise<Message[] | undefined> {
  const expected = contentsOf(turn)
  const messages = await messagesAt(rest, path, seq, expected.length)
  return isDeepStrictEqual(messages.map(contentOf), expected) ? messages : undefined
}

/** Whether a conversation holds these turns and no others. */
export async function holdsExactly(
  rest: Rest,
  path: string,
  turns: readonly NewTurn[],
): Promise<boolean> {
  const expected = turns.flatMap(contentsOf)
  let count = 0
  for (;;) {
    const { messages, hasMore } = await rest.get<MessagePage>(`${path}/messages?after=${count}`)
    const part = expected.slice(count, count + messages.length)
    if (!isDeepStrictEqual(messages.map(contentOf), part)) return false
    count += messages.length
    if (!hasMore) return count === expected.length
  }
}

/**
 * The `seq` of the last message of these turns that must be there, where another one is: then the
 * conversation has turns of somebody else. Turns are recorded in order, so this one tells of all.
 */
export async function strangerAt(
  rest: Rest,
  path: string,
  turns: readonly NewTurn[],
  lastSeq: number,
): Promise<number | undefined> {
  const ids = turns.flatMap(messageIds)
  const seq = Math.min(ids.length, lastSeq)
  if (seq === 0) return undefined
  const [message] = await messagesAt(rest, path, seq, 1)
  return message?.id === ids[seq - 1] ? undefined : seq
}

/** The conversation, or undefined where none is, or was, of this id. */
export async function findConversation(
  rest: Rest,
  path: string,
): Promise<Conversation | undefined> {
  try {
    return await rest.get<Conversation>(path)
  } catch (error) {
    if (error instanceof Refused && error.code === 'conversation-not-found') return undefined
    throw error
  }
}

async function messagesAt(
  rest: Rest,
  path: string,
  seq: number,
  limit: number,
): Promise<Message[]> {
  const page = await rest.get<MessagePage>(`${path}/messages?after=${seq - 1}&limit=${limit}`)
  return page.messages
}

export const shownOf = ({ externalId, title, metadata }: Conversation) => [
  externalId,
  title,
  metadata,
]

/** The fields of a message that never change. */
function lasting(message: ExportedMessage): unknown[] {
  const { id, seq, role, parts, messageType, voiceSessionId, durationSeconds, createdAt } = message
  return [
    [id, seq, role, parts, messageType, voiceSessionId, durationSeconds, createdAt],
    role === 'human' ? message.segmentId : null,
    message.memoryRetrievalTrace,
    message.metadata,
    [message.speechEndedAt ?? null, message.firstAudioAt ?? null],
  ]
}

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
