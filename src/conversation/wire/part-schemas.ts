/** Parts that the schemas of requests, answers and frames share. */
import Type, { type Static } from 'typebox'

export const closed = { additionalProperties: false } as const

export const Nullable = <T extends Type.TSchema>(schema: T, description?: string) =>
  Type.Union([schema, Type.Null()], description === undefined ? {} : { description })

export const Uuid = Type.String({ format: 'uuid', description: 'A UUID.' })

export const Id = (description: string) => Type.String({ format: 'uuid', description })

const timeForm =
  'RFC 3339, for example `2026-11-23T09:30:00.123456Z`. An offset may be `+02:00`, `+0200` or `+02`. A time without an offset is UTC. Digits of the second after the sixth are dropped.'

export const TimeIn = Type.String({ format: 'turnlog-time', description: timeForm })

/** A time with a description of its own. */
export const TimeOf = (description: string) =>
  Type.String({ format: 'turnlog-time', description: `${description} ${timeForm}` })

export const TimeOut = Type.String({
  pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}Z$',
  description: 'RFC 3339 in UTC, with microseconds.',
})

export const HttpUrl = Type.String({
  format: 'http-url',
  description: 'An absolute http or https URL.',
})

export const JsonObject = (description: string) =>
  Type.Record(Type.String(), Type.Unknown(), { description })

export const Metadata = JsonObject('Your own data, stored unchanged.')

export const RetrievalTrace = JsonObject(
  'Your own data about the memories that the answer was made from.',
)

/** The token of a list's next page. */
export const NextPage = Nullable(
  Type.String(),
  'Token of the next page: send it as `page`. Null at the end.',
)

/** The version of a row's latest change. */
export const ChangedAt = Type.Integer({ minimum: 1, description: 'Version of its latest change.' })

export const Cursor = Type.String({
  minLength: 1,
  description: 'Opaque text that names the conversation and a version. Send it back unchanged.',
})

export const Version = Type.Integer({
  minimum: 0,
  description: 'Number of durable changes of the conversation.',
})

export const AudioUrls = Type.Array(Nullable(HttpUrl), {
  description: 'One URL per part. A part without audio has null.',
})

export const SessionId = Type.String({
  minLength: 1,
  maxLength: 255,
  description: 'Id of the voice session, yours or one that the service made.',
})

const integerMax = 2147483647

const heard = {
  parts: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: integerMax,
      description: 'Number of whole parts that the listener heard.',
    }),
  ),
  characters: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: integerMax,
      description:
        'Number of Unicode code points that the listener heard, counted through all parts. The heard view ends with the last whole grapheme (user-perceived character) that they cover.',
    }),
  ),
  milliseconds: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: integerMax,
      description:
        'Milliseconds of audio that the listener heard. The number is stored, but does not shorten the text. Alone, 0 means that nothing was heard.',
    }),
  ),
  text: Type.Optional(
    Type.String({
      description:
        'The text that the listener heard, in your own words. It replaces the text of the message.',
    }),
  ),
}

/**
 * How much of an AI message the listener heard. The heard view uses `text` if it is given,
 * otherwise `characters`, otherwise `parts`.
 */
export const NewHeard = Type.Object(heard, {
  ...closed,
  minProperties: 1,
  description:
    'How much of the AI message the listener heard. If several are given, `text` counts before `characters`, and `characters` before `parts`.',
})
export type Heard = Static<typeof NewHeard>

export const Heard = Type.Object(heard, {
  description: 'How much of the message the listener heard.',
})

export const VoiceSession = Type.Object({
  id: SessionId,
  conversationId: Uuid,
  version: ChangedAt,
  metadata: Nullable(Metadata),
  startedAt: TimeOut,
  endedAt: Nullable(TimeOut),
})
export type VoiceSession = Static<typeof VoiceSession>
