/**
 * Makes the lines of an export from the objects of the API. A segment's state may be read from the
 * service.
 */
import type {
  Conversation,
  Message,
  Segment,
  VoiceSession,
} from '../../conversation/wire/schemas.ts'
import { type ExportedMessage, type ExportLine, exportVersion } from '../formats/export-format.ts'
import type { ExportItem } from './export-items.ts'
import type { SegmentStates } from './segment-states.ts'

export function conversationLine(conversation: Conversation): ExportLine {
  const { id, externalId, title, metadata, createdAt } = conversation
  const members = { id, externalId, title, metadata, createdAt }
  return { type: 'conversation', turnlog: exportVersion, ...members }
}

/** Makes the line of a turn, of one half of a turn, or of a seat. */
export async function itemLine(
  conversationId: string,
  item: ExportItem,
  states: SegmentStates,
): Promise<ExportLine> {
  if (item.kind === 'seat') return { type: 'seat', conversationId, seq: item.seq }
  const messages = item.kind === 'turn' ? item.messages : [item.message]
  const [first] = messages
  const humanId = item.kind === 'half' ? item.humanId : first?.id
  const isCompleting = item.kind === 'half' ? first?.role === 'ai' : first?.role === 'human'
  const segmentId = isCompleting ? (first?.segmentId ?? null) : null
  const segment =
    first === undefined || segmentId === null
      ? undefined
      : await states.since(segmentId, first.version)
  const completes =
    segmentId !== null && segment !== undefined && segment.userMessageId === humanId
      ? { completes: { segmentId, agentResponse: segment.agentResponse ?? '' } }
      : {}
  if (item.kind === 'turn')
    return { type: 'turn', conversationId, messages: messages.map(exported), ...completes }
  const { seat, message } = item
  return { type: 'half', conversationId, seat, message: exported(message), ...completes }
}

function exported(message: Message): ExportedMessage {
  const { conversationId: _, turnId: __, version: ___, content: ____, ...rest } = message
  return rest
}

/**
 * Yields the audio and the interruption that an answer got after its line was written. Audio is
 * never removed. If a line had a heard part (`wasHeard`) and it is gone, a line takes it back.
 */
export function* laterLines(message: Message, wasHeard: boolean): Generator<ExportLine> {
  const { conversationId, id: messageId, segmentId, ttsAudioUrls, heard, interruptedAt } = message
  if (ttsAudioUrls !== null)
    yield { type: 'messageAudio', conversationId, messageId, segmentId, ttsAudioUrls }
  if (heard !== null || wasHeard)
    yield { type: 'heard', conversationId, messageId, heard, interruptedAt }
}

/**
 * Yields the line of a voice session. An open session without metadata has none: its first turn
 * starts it.
 */
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
