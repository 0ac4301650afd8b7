/** What travels about the audio of answers. */
import Type, { type Static } from 'typebox'
import { AudioUrls, Cursor, closed, HttpUrl, Id, TimeOut, Uuid, Version } from './part-schemas.ts'
import { Message } from './schemas.ts'

const attachTarget = {
  segmentId: Type.Optional(Id('Tags the message, and gives the segment the same audio.')),
  updateSegment: Type.Optional(
    Type.Boolean({ description: 'false: tag the message and leave the segment alone.' }),
  ),
}

export const AttachAll = Type.Object({ ttsAudioUrls: AudioUrls, ...attachTarget }, closed)

const onePart = {
  part: Type.Integer({ minimum: 0, maximum: 2147483647, description: 'Counts from 0.' }),
  ttsAudioUrl: HttpUrl,
}

const TextHash = Type.String({
  pattern: '^[0-9a-fA-F]{64}$',
  description:
    "SHA-256 of the part's text in UTF-8, in hexadecimal: audio of another text is refused.",
})

export const AttachPart = Type.Object(
  { ...onePart, textHash: Type.Optional(TextHash), ...attachTarget },
  closed,
)

export const AttachByKey = Type.Object(
  {
    key: Type.String({
      pattern: '^[\\x21-\\x7e]{1,255}$',
      description:
        "The turn's idempotency key. The audio may come before the turn, and waits for it.",
    }),
    ...onePart,
    textHash: TextHash,
  },
  closed,
)

export type AttachByKey = Static<typeof AttachByKey>

export const Attach = Type.Union([AttachAll, AttachPart], {
  description: 'All URLs of the message, or the URL of one part.',
})
export type Attach = Static<typeof Attach>

export const AttachAnywhere = Type.Union([AttachAll, AttachPart, AttachByKey], {
  description: 'For the latest AI message, or for the answer of the turn that `key` names.',
})
export type AttachAnywhere = Static<typeof AttachAnywhere>

/** Audio that waits for its turn. */
export const HeldAudio = Type.Object({
  heldUntil: TimeOut,
  version: Version,
  cursor: Cursor,
})
export type HeldAudio = Static<typeof HeldAudio>

export const AttachedAudio = Type.Object({
  messageId: Uuid,
  version: Version,
  cursor: Cursor,
  message: Message,
})
export type AttachedAudio = Static<typeof AttachedAudio>
