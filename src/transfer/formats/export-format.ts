/**
 * The lines of an export, version 1: JSON Lines, several for each conversation, so that a conversation of
 * any length can be streamed. `docs/export-format.md` describes them.
 */
import Type, { type Static, type TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
// Registers the formats of ids and URLs.
import '../../conversation/wire/validation.ts'
import * as wire from '../../conversation/wire/schemas.ts'

/** Raised when a reader of the previous version would misread a line. */
export const exportVersion = 1

const closed = { additionalProperties: false } as const
const { conversationId, version, ttsAudioUrls } = wire.Segment.properties
const urls = ttsAudioUrls.anyOf[0]

const { state, heard, interruptedAt, speechEndedAt, firstAudioAt } = wire.Message.properties

/** A message of the API without what the lines around it imply. Files of earlier versions have no members of speech. */
const ExportedMessage = Type.Object(
  {
    ...Type.Omit(wire.Message, [
      'conversationId',
      'turnId',
      'version',
      'content',
      'state',
      'heard',
      'interruptedAt',
      'speechEndedAt',
      'firstAudioAt',
    ]).properties,
    state: Type.Optional(state),
    heard: Type.Optional(heard),
    interruptedAt: Type.Optional(interruptedAt),
    speechEndedAt: Type.Optional(speechEndedAt),
    firstAudioAt: Type.Optional(firstAudioAt),
  },
  closed,
)
export type ExportedMessage = Static<typeof ExportedMessage>

const ConversationLine = Type.Object(
  {
    type: Type.Literal('conversation'),
    turnlog: Type.Literal(exportVersion),
    ...Type.Pick(wire.Conversation, ['id', 'externalId', 'title', 'metadata', 'createdAt'])
      .properties,
  },
  closed,
)

/** Stands before the turns that belong to the segment. Its audio comes after them. */
const SegmentLine = Type.Object(
  {
    type: Type.Literal('segment'),
    conversationId,
    ...Type.Omit(wire.Segment, ['conversationId', 'version', 'ttsAudioUrls']).properties,
  },
  closed,
)

const seq = wire.Message.properties.seq
const completes = Type.Optional(
  Type.Object({ segmentId: wire.Uuid, agentResponse: Type.String() }, closed),
)

/** A seat without words. */
const SeatLine = Type.Object({ type: Type.Literal('seat'), conversationId, seq }, closed)

/** A message whose turn's other message is not next to it; `seat` is the `seq` of the turn's human message. */
const HalfLine = Type.Object(
  {
    type: Type.Literal('half'),
    conversationId,
    seat: seq,
    message: ExportedMessage,
    completes,
  },
  closed,
)

/** Stands before the turns that were spoken in it. */
const VoiceSessionLine = Type.Object(
  {
    type: Type.Literal('voiceSession'),
    ...Type.Omit(wire.VoiceSession, ['version']).properties,
  },
  closed,
)

/** What was heard of a message, where it was reported after its line was written. */
const HeardLine = Type.Object(
  {
    type: Type.Literal('heard'),
    conversationId,
    messageId: wire.Uuid,
    heard: heard.anyOf[0],
    interruptedAt: interruptedAt.anyOf[0],
  },
  closed,
)

const TurnLine = Type.Object(
  {
    type: Type.Literal('turn'),
    conversationId,
    messages: Type.Array(ExportedMessage, { minItems: 1, maxItems: 2 }),
    completes,
  },
  closed,
)

/** Audio that came to a message after its line was written. */
const MessageAudioLine = Type.Object(
  {
    type: Type.Literal('messageAudio'),
    conversationId,
    messageId: wire.Uuid,
    segmentId: wire.Message.properties.segmentId,
    ttsAudioUrls: urls,
  },
  closed,
)

const SegmentAudioLine = Type.Object(
  { type: Type.Literal('segmentAudio'), conversationId, segmentId: wire.Uuid, ttsAudioUrls: urls },
  closed,
)

/** The lines before this one are the whole conversation at this version. */
const EndLine = Type.Object(
  { type: Type.Literal('end'), conversationId, version, messages: Type.Integer({ minimum: 0 }) },
  closed,
)

/** Takes the place of an end: the lines before this one must not be kept. */
const ErasedLine = Type.Object({ type: Type.Literal('erased'), conversationId }, closed)

export type ConversationLine = Static<typeof ConversationLine>
export type SegmentLine = Static<typeof SegmentLine>
export type TurnLine = Static<typeof TurnLine>
export type HalfLine = Static<typeof HalfLine>
export type MessageAudioLine = Static<typeof MessageAudioLine>
export type SegmentAudioLine = Static<typeof SegmentAudioLine>
export type ExportLine =
  | ConversationLine
  | SegmentLine
  | Static<typeof VoiceSessionLine>
  | TurnLine
  | HalfLine
  | Static<typeof SeatLine>
  | Static<typeof HeardLine>
  | MessageAudioLine
  | SegmentAudioLine
  | Static<typeof EndLine>
  | Static<typeof ErasedLine>

const checks = {
  conversation: Compile(ConversationLine),
  segment: Compile(SegmentLine),
  voiceSession: Compile(VoiceSessionLine),
  turn: Compile(TurnLine),
  half: Compile(HalfLine),
  seat: Compile(SeatLine),
  heard: Compile(HeardLine),
  messageAudio: Compile(MessageAudioLine),
  segmentAudio: Compile(SegmentAudioLine),
  end: Compile(EndLine),
  erased: Compile(ErasedLine),
} satisfies Record<ExportLine['type'], ReturnType<typeof Compile<TSchema>>>

const isType = (type: unknown): type is ExportLine['type'] =>
  typeof type === 'string' && Object.hasOwn(checks, type)

/** Whether a value is meant as a line of an export, valid or not. */
export const isExportLine = (value: unknown): value is { type: ExportLine['type'] } =>
  typeof value === 'object' && value !== null && 'type' in value && isType(value.type)

/** The line, or what is wrong with it. */
export function checkExportLine(value: unknown): ExportLine | { wrong: string } {
  if (!isExportLine(value)) return { wrong: 'is no line of an export' }
  const version = value.type === 'conversation' && 'turnlog' in value ? value.turnlog : undefined
  if (typeof version === 'number' && version > exportVersion)
    return { wrong: `is of version ${version}, and version ${exportVersion} is the newest known` }
  const { type } = value
  const check = checks[type]
  if (!check.Check(value)) {
    const errors = check.Errors(value).filter(({ keyword }) => keyword !== 'boolean')
    const told = errors.map(({ instancePath, message }) => `${instancePath} ${message}`.trim())
    return { wrong: `is no ${type} line: ${[...new Set(told)].slice(0, 3).join('; ')}` }
  }
  const line = value as ExportLine
  const roles = line.type === 'turn' ? line.messages.map(({ role }) => role).join() : 'ai'
  if (roles !== 'ai' && roles !== 'human,ai')
    return { wrong: `is no turn: its messages are ${roles.replace(',', ' and ')}` }
  return line
}
