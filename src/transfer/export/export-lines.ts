/** What the API shows -> the lines of an export. Pure but for the states of segments, which may be asked for. */
import type {
  Conversation,
  Message,
  Segment,
  VoiceSession,
} from '../../conversation/wire/schemas.ts'
import { type ExportedMessage, type ExportLine, exportVersion } from '../formats/export-format.ts'
import type { Placed } from './export-turns.ts'
import type { SegmentStates } from './segment-states.ts'

export function conversationLine(conversation: Conversation): ExportLine {
  const { id, externalId, title, metadata, createdAt } = conversation
  const known = { id, externalId, title, metadata, createdAt }
  return { type: 'conversation', turnlog: exportVersion, ...known }
}

/** The line of a turn, of one half of it, or of a seat. */
export async function placedLine(
  conversationId: string,
  placed: Placed,
  states: SegmentStates,
): Promise<ExportLine> {
  if (placed.kind === 'seat') return { type: 'seat', conversationId, seq: placed.seq }
  const messages = placed.kind === 'turn' ? placed.messages : [placed.message]
  const [first] = messages
  const humanId = placed.kind === 'half' ? placed.humanId : first?.id
  const isCompleting = placed.kind === 'half' ? first?.role === 'ai' : first?.role === 'human'
  const segmentId = isCompleting ? (first?.segmentId ?? null) : null
  const segment =
    first === undefined || segmentId === null
      ? undefined
      : await states.since(segmentId, first.version)
  const completes =
    segmentId !== null && segment !== undefined && segment.userMessageId === humanId
      ? { completes: { segmentId, agentResponse: segment.agentResponse ?? '' } }
      : {}
  if (placed.kind === 'turn')
    return { type: 'turn', conversationId, messages: messages.map(exported), ...completes }
  const { seat, message } = placed
  return { type: 'half', conversationId, seat, message: exported(message), ...completes }
}

function exported(message: Message): ExportedMessage {
  const { conversationId: _, turnId: __, version: ___, content: ____, ...rest } = message
  return rest
}

/** What came to an answer after its line was written. Audio is never taken away. */
export function* laterLines(message: Message): Generator<ExportLine> {
  const { conversationId, id: messageId, segmentId, ttsAudioUrls, heard, interruptedAt } = message
  if (ttsAudioUrls !== null)
    yield { type: 'messageAudio', conversationId, messageId, segmentId, ttsAudioUrls }
  if (heard !== null && interruptedAt !== null)
    yield { type: 'heard', conversationId, messageId, heard, interruptedAt }
}

/** A session without metadata that has not ended has no line: its first turn starts it again. */
export function* sessionLines(session: VoiceSession): Generator<ExportLine> {
  const { conversationId, id, metadata, startedAt, endedAt } = session
  if (metadata !== null || endedAt !== null)
    yield { type: 'voiceSession', conversationId, id, metadata, startedAt, endedAt }
}

export function segmentLine(segment: Segment): ExportLine {
  const { version: _, ttsAudioUrls: __, ...rest } = segment
  return { type: 'segment', ...rest }
}

export function* segmentAudioLines(segment: Segment): Generator<ExportLine> {
  const { conversationId, id: segmentId, ttsAudioUrls } = segment
  if (ttsAudioUrls !== null) yield { type: 'segmentAudio', conversationId, segmentId, ttsAudioUrls }
}
