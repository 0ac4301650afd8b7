/** What the schemas of what travels are made of. */
import Type, { type Static } from 'typebox'

export const closed = { additionalProperties: false } as const

export const Nullable = <T extends Type.TSchema>(schema: T, description?: string) =>
  Type.Union([schema, Type.Null()], description === undefined ? {} : { description })

export const Uuid = Type.String({ format: 'uuid', description: 'A UUID.' })

export const Id = (description: string) => Type.String({ format: 'uuid', description })

const timeForm =
  'RFC 3339, for example `2026-11-23T09:30:00.123456Z`. An offset may be `+02:00`, `+0200` or `+02`; without one it is UTC. Digits past six are cut.'

export const TimeIn = Type.String({ format: 'turnlog-time', description: timeForm })

/** A time of which there is something to say. */
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

export const Cursor = Type.String({
  minLength: 1,
  description: 'Opaque: names the conversation and its version. Keep it as it came.',
})

export const Version = Type.Integer({
  minimum: 0,
  description: "Counts the conversation's durable changes.",
})

export const AudioUrls = Type.Array(Nullable(HttpUrl), {
  description: 'One URL per part, null for a part not spoken yet.',
})

export const SessionId = Type.String({
  minLength: 1,
  maxLength: 255,
  description: 'The voice session: yours, or one made here.',
})

const integerMax = 2147483647

const heard = {
  parts: Type.Optional(
    Type.Integer({ minimum: 0, maximum: integerMax, description: 'So many whole parts.' }),
  ),
  characters: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: integerMax,
      description: 'So many Unicode code points of the parts one after another.',
    }),
  ),
  milliseconds: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: integerMax,
      description: 'So much of the audio. Cuts nothing.',
    }),
  ),
  text: Type.Optional(
    Type.String({ description: 'In your own words, in place of what was said.' }),
  ),
}

/** What the listener heard of an AI message. The view takes `text`, else `characters`, else `parts`. */
export const NewHeard = Type.Object(heard, {
  ...closed,
  minProperties: 1,
  description: 'What was heard: `text`, else `characters`, else `parts` of what was said.',
})
export type Heard = Static<typeof NewHeard>

export const Heard = Type.Object(heard, { description: 'What the listener heard of it.' })

export const VoiceSession = Type.Object({
  id: SessionId,
  conversationId: Uuid,
  version: Type.Integer({ minimum: 1, description: 'The version that last touched it.' }),
  metadata: Nullable(JsonObject('Yours, kept as it is.')),
  startedAt: TimeOut,
  endedAt: Nullable(TimeOut),
})
export type VoiceSession = Static<typeof VoiceSession>
