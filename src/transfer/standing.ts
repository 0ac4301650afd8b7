/** What stands in a service already, held against what an import brings. */
import { isDeepStrictEqual } from 'node:util'
import type { Conversation, Message, MessagePage } from '../conversation/wire.ts'
import type { ExportedMessage } from './export-format.ts'
import type { Rest } from './rest.ts'

/** The same messages, where they stand there: recorded under another key, or completing otherwise. */
export async function standing(
  rest: Rest,
  path: string,
  exported: readonly ExportedMessage[],
): Promise<Message[] | undefined> {
  const after = (exported[0]?.seq ?? 1) - 1
  const page = await rest.get<MessagePage>(`${path}/messages?after=${after}&limit=2`)
  const messages = page.messages.slice(0, exported.length)
  return isDeepStrictEqual(messages.map(lasting), exported.map(lasting)) ? messages : undefined
}

export const shownOf = ({ externalId, title, metadata }: Conversation) => [
  externalId,
  title,
  metadata,
]

/** What of a message never changes. */
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
