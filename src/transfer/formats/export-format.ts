/**
 * The lines of an export, version 1. They are JSON Lines. A conversation is several lines, so that
 * a conversation of any length can be streamed. `docs/export-format.md` describes them.
 */
import Type, { type Static, type TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
// This import registers the formats of ids and URLs.
import '../../conversation/wire/validation.ts'
import * as wire from '../../conversation/wire/schemas.ts'

/**
 * The version of the format. It is raised when a reader of the previous version would misread a
 * line.
 */
export const exportVersion = 1

const closed = { additionalProperties: false } as const
const { conversationId, version, ttsAudioUrls } = wire.Segment.properties
const urls = ttsAudioUrls.anyOf[0]

const { heard, interruptedAt } = wire.Message.properties

/** Members of a message that are not exported, because they follow from the lines around it. */
const omittedNames = ['conversationId', 'turnId', 'version', 'content'] as const

/** Members that a message had when the format was made. Each line has them. */
const originalNames = [
  'id',
  'seq',
  'role',
  'parts',
  'messageType',
  'voiceSessionId',
  'durationSeconds',
  'segmentId',
  'ttsAudioUrls',
  'memoryRetrievalTrace',
  'metadata',
  'createdAt',
] as const

/**
 * A message as the API shows it, without the omitted members. Older files lack the members added
 * later.
 */
const ExportedMessage = Type.Object(
  {
    ...Type.Pick(wire.Message, originalNames).properties,
    ...Type.Partial(Type.Omit(wire.Message, [...omittedNames, ...originalNames])).properties,
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

/**
 * A segment. The line comes before the turns of the segment, and the segment's audio after them.
 */
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

/**
 * A message that is not next to the other message of its turn. `seat` is the `seq` of the human
 * message.
 */
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

/** A voice session. The line comes before the turns that were spoken in the session. */
const VoiceSessionLine = Type.Object(
  {
    type: Type.Literal('voiceSession'),
    ...Type.Omit(wire.VoiceSession, ['version']).properties,
  },
  closed,
)

/**
 * The heard part of a message that was interrupted after its line was written. Null: the report was
 * taken back.
 */
const HeardLine = Type.Object(
  {
    type: Type.Literal('heard'),
    conversationId,
    messageId: wire.Uuid,
    heard,
    interruptedAt,
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

/** Audio that was attached to a message after its line was written. */
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

/** The last line: the lines before it are the whole conversation at this version. */
const EndLine = Type.Object(
  { type: Type.Literal('end'), conversationId, version, messages: Type.Integer({ minimum: 0 }) },
  closed,
)

/**
 * The last line of a conversation that was erased during the export: the lines before it must be
 * deleted.
 */
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

/** Whether a value is meant as a line of an export, even if it is not valid. */
export const isExportLine = (value: unknown): value is { type: ExportLine['type'] } =>
  typeof value === 'object' && value !== null && 'type' in value && isType(value.type)

/** Returns the line, or a text that says what is wrong with it. */
export function checkExportLine(value: unknown): ExportLine | { wrong: string } {
  if (!isExportLine(value)) return { wrong: 'is not a line of an export' }
  const version = value.type === 'conversation' && 'turnlog' in value ? value.turnlog : undefined
  if (typeof version === 'number' && version > exportVersion)
    return {
      wrong: `has version ${version} of the export format, and this release reads version ${exportVersion}: use a newer release`,
    }
  const { type } = value
  const check = checks[type]
  if (!check.Check(value)) {
    const errors = check.Errors(value).filter(({ keyword }) => keyword !== 'boolean')
    const reasons = errors.map(({ instancePath, message }) => `${instancePath} ${message}`.trim())
    return { wrong: `is not a valid ${type} line: ${[...new Set(reasons)].slice(0, 3).join('; ')}` }
  }
  const line = value as ExportLine
  const roles = line.type === 'turn' ? line.messages.map(({ role }) => role).join() : 'ai'
  if (roles !== 'ai' && roles !== 'human,ai')
    return { wrong: `is not a turn: the roles of its messages are ${roles.replace(',', ' and ')}` }
  return line
}
