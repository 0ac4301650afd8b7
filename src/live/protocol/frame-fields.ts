/** The fields that several frames share, and the bounds of some of them. */
import Type from 'typebox'
import * as wire from '../../conversation/wire/schemas.ts'

/**
 * The name of the protocol, which is also the WebSocket subprotocol. A change that old clients
 * cannot understand gets a new name.
 */
export const protocolName = 'turnlog.v1'

export const closed = { additionalProperties: false } as const

export const { cursor: Cursor, version: Version } = wire.Change.properties

export const C = Type.String({ format: 'uuid', description: 'The conversation.' })

export const FrameId = Type.String({
  minLength: 1,
  maxLength: 128,
  description: 'Your name for the frame. Its answer repeats it.',
})

export const keyPattern = '^[\\x21-\\x7e]{1,255}$'

export const Key = Type.String({
  pattern: keyPattern,
  description:
    'The idempotency key of the turn: 1 to 255 visible ASCII characters, unique in the conversation forever.',
})

export const Role = Type.Union([Type.Literal('human'), Type.Literal('ai')])

export const id = Type.Optional(FrameId)
export const nullable = <T extends Type.TSchema>(schema: T, description: string) =>
  Type.Union([schema, Type.Null()], { description })

/** The maximum number of newest messages that a subscription may begin with. */
export const tailMax = 200

/** The maximum length of an interim text, in characters. */
export const partialCharactersMax = 16_384
