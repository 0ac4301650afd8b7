/** The fields that frames share, and the bounds of some. */
import Type from 'typebox'
import * as wire from '../../conversation/wire/schemas.ts'

/** Also the WebSocket subprotocol. A change that old clients cannot live with takes another one. */
export const protocolName = 'turnlog.v1'

export const closed = { additionalProperties: false } as const

export const { cursor: Cursor, version: Version } = wire.Change.properties

export const C = Type.String({ format: 'uuid', description: 'The conversation.' })

export const FrameId = Type.String({
  minLength: 1,
  maxLength: 128,
  description: 'Pairs an answer with its frame, and means nothing else.',
})

export const keyPattern = '^[\\x21-\\x7e]{1,255}$'

export const Key = Type.String({
  pattern: keyPattern,
  description:
    "The idempotency key: names the turn for the conversation's life. 1 to 255 visible ASCII characters.",
})

export const Role = Type.Union([Type.Literal('human'), Type.Literal('ai')])

export const id = Type.Optional(FrameId)
export const nullable = <T extends Type.TSchema>(schema: T, description: string) =>
  Type.Union([schema, Type.Null()], { description })

/** Most newest messages that a subscription may begin with. */
export const tailMax = 200

/** Most characters of an interim text. */
export const partialCharactersMax = 16_384
