/** Schemas of requests and answers about AI audio (TTS). */
import Type, { type Static } from 'typebox'
import { AudioUrls, Cursor, closed, HttpUrl, Id, TimeOut, Uuid, Version } from './part-schemas.ts'
import { Message } from './schemas.ts'

const attachTarget = {
  segmentId: Type.Optional(
    Id('Segment that the message is tagged with. The segment gets the same audio.'),
  ),
  updateSegment: Type.Optional(
    Type.Boolean({
      description:
        '`false` tags the message and leaves the audio of the segment unchanged. Default `true`.',
    }),
  ),
}

export const AttachAll = Type.Object({ ttsAudioUrls: AudioUrls, ...attachTarget }, closed)

const onePart = {
  part: Type.Integer({
    minimum: 0,
    maximum: 2147483647,
    description: 'Index of the part, from 0.',
  }),
  ttsAudioUrl: HttpUrl,
}

const TextHash = Type.String({
  pattern: '^[0-9a-fA-F]{64}$',
  description:
    "SHA-256 of the part's text in UTF-8, in hexadecimal. If the part has another text, the audio is refused with `audio-stale`.",
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
        "The turn's idempotency key. Audio that arrives before the turn is held until the turn arrives.",
    }),
    ...onePart,
    textHash: TextHash,
  },
  closed,
)

export type AttachByKey = Static<typeof AttachByKey>

export const Attach = Type.Union([AttachAll, AttachPart], {
  description: 'The audio URLs of all parts of a message, or the URL of one part.',
})
export type Attach = Static<typeof Attach>

export const AttachAnywhere = Type.Union([AttachAll, AttachPart, AttachByKey], {
  description: 'Audio for the latest AI message, or for the answer of the turn that `key` names.',
})
export type AttachAnywhere = Static<typeof AttachAnywhere>

/** The answer for audio that is held until its turn arrives. */
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
