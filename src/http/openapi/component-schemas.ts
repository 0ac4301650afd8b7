/**
 * The wire schemas as the OpenAPI document shows them: JSON Schema 2020-12 with named components.
 */
import type { TSchema } from 'typebox'
import * as audio from '../../conversation/wire/audio-schemas.ts'
import * as formats from '../../conversation/wire/history-formats.ts'
import * as wire from '../../conversation/wire/schemas.ts'
import * as voice from '../../conversation/wire/voice-schemas.ts'
import { problemCodes, problems } from '../../problem.ts'

export type JsonSchema = { readonly [keyword: string]: unknown }

const wireSchemas = {
  Conversation: wire.Conversation,
  NewConversation: wire.NewConversation,
  ConversationPatch: wire.ConversationPatch,
  ConversationList: wire.ConversationList,
  ErasureReceipt: wire.ErasureReceipt,
  NewTurn: wire.NewTurn,
  NewUser: wire.NewUser,
  NewAssistant: wire.NewAssistant,
  TurnSegment: wire.TurnSegment,
  RecordedTurn: wire.RecordedTurn,
  Message: wire.Message,
  MessagePage: wire.MessagePage,
  History: wire.History,
  OpenaiMessage: formats.OpenaiMessage,
  OpenaiHistory: formats.OpenaiHistory,
  LangchainMessage: formats.LangchainMessage,
  LangchainHistory: formats.LangchainHistory,
  RenderedHistory: formats.RenderedHistory,
  Change: wire.Change,
  ChangePage: wire.ChangePage,
  NewSegment: wire.NewSegment,
  Lineage: wire.Lineage,
  Segment: wire.Segment,
  SegmentList: wire.SegmentList,
  Heard: wire.Heard,
  Attach: audio.Attach,
  AttachAll: audio.AttachAll,
  AttachPart: audio.AttachPart,
  AttachByKey: audio.AttachByKey,
  AttachAnywhere: audio.AttachAnywhere,
  AttachedAudio: audio.AttachedAudio,
  HeldAudio: audio.HeldAudio,
  OpenTurn: voice.OpenTurn,
  OpenedTurn: voice.OpenedTurn,
  TurnHalves: voice.TurnHalves,
  CompletedTurn: voice.CompletedTurn,
  Interruption: voice.Interruption,
  InterruptedMessage: voice.InterruptedMessage,
  VoiceSession: wire.VoiceSession,
  NewVoiceSession: voice.NewVoiceSession,
  VoiceSessionFigures: voice.VoiceSessionFigures,
  VoiceSessionReport: voice.VoiceSessionReport,
  VoiceSessionList: voice.VoiceSessionList,
} as const satisfies Record<string, TSchema>

export type ComponentName = keyof typeof wireSchemas | 'Problem' | 'Health' | 'Readiness'

export const reference = (name: ComponentName): JsonSchema => ({
  $ref: `#/components/schemas/${name}`,
})

/** The name of each wire schema by its text: TypeBox copies a schema when it marks it optional. */
const names = new Map(
  Object.entries(wireSchemas).map(([name, schema]) => [
    JSON.stringify(schema),
    name as ComponentName,
  ]),
)

const { pattern: timeOutPattern } = wire.TimeOut as { pattern?: string }

const isSchema = (value: unknown): value is JsonSchema =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * The schema as the OpenAPI document shows it. A schema with a name becomes a reference.
 * @param root true for the definition of a named schema, which must not become a reference to
 * itself
 */
export function publishSchema(schema: unknown, root = false): JsonSchema {
  if (!isSchema(schema)) throw new TypeError('A schema must be an object.')
  const name = root ? undefined : names.get(JSON.stringify(schema))
  if (name !== undefined) return reference(name)
  const { format, properties, patternProperties, items, anyOf, ...rest } = schema
  return {
    ...rest,
    ...(typeof format === 'string' ? publishFormat(format) : {}),
    ...(schema.pattern === timeOutPattern ? { format: 'date-time' } : {}),
    ...(isSchema(properties) ? { properties: publishEach(properties) } : {}),
    // TypeBox prints a record of any values as a pattern that matches every name.
    ...(patternProperties === undefined ? {} : { additionalProperties: true }),
    ...(items === undefined ? {} : { items: publishSchema(items) }),
    ...(Array.isArray(anyOf) ? publishUnion(anyOf) : {}),
  }
}

const publishEach = (schemas: JsonSchema): JsonSchema =>
  Object.fromEntries(Object.entries(schemas).map(([key, schema]) => [key, publishSchema(schema)]))

function publishFormat(format: string): JsonSchema {
  if (format === 'turnlog-time') return { format: 'date-time' }
  if (format === 'http-url') return { pattern: '^[Hh][Tt][Tt][Pp][Ss]?://' }
  return { format }
}

/**
 * Literals become an enum, and "or null" becomes a second type: client generators read these best.
 */
function publishUnion(members: readonly unknown[]): JsonSchema {
  const schemas = members.map((member) => publishSchema(member))
  if (schemas.every((schema) => 'const' in schema))
    return { type: 'string', enum: schemas.map((schema) => schema.const) }
  const [first, second] = schemas
  const nullable = schemas.length === 2 && second?.type === 'null'
  if (nullable && typeof first?.type === 'string') return { ...first, type: [first.type, 'null'] }
  return { anyOf: schemas }
}

const codeTable = [
  '| code | status | retryable | meaning |',
  '| --- | --- | --- | --- |',
  ...problemCodes.map((code) => {
    const { status, title, retryable, retry } = problems[code]
    const safe = retry === undefined ? (retryable ? 'yes' : 'no') : 'depends on the request'
    return `| [${code}](/problems/${code}) | ${status} | ${safe} | ${title} |`
  }),
].join('\n')

const problemSchema: JsonSchema = {
  type: 'object',
  description:
    'An error, as problem details (RFC 9457). The body of every answer whose status is not 2xx.',
  required: ['type', 'code', 'title', 'status', 'detail', 'retryable'],
  properties: {
    type: {
      type: 'string',
      format: 'uri-reference',
      description: 'The page that explains the code and says what to do: `/problems/<code>`.',
    },
    code: { type: 'string', enum: problemCodes, description: codeTable },
    title: {
      type: 'string',
      description: 'The code in words. It is the same for every problem with the code.',
    },
    status: { type: 'integer', description: 'The HTTP status.' },
    detail: {
      type: 'string',
      description: 'One sentence about this request: which rule it breaks, or why it failed.',
    },
    errors: {
      type: 'array',
      description: 'One entry for each field or parameter that breaks a rule.',
      items: {
        type: 'object',
        required: ['in', 'pointer', 'message'],
        properties: {
          in: {
            type: 'string',
            enum: ['body', 'query', 'path', 'header'],
            description: 'The part of the request.',
          },
          pointer: {
            type: 'string',
            description:
              'The field in that part, as a JSON Pointer (RFC 6901), for example `/user/at`.',
          },
          message: {
            type: 'string',
            description: 'The rule, for example `must be a UUID`.',
          },
        },
      },
    },
    requestId: {
      type: 'string',
      description:
        "The `Turnlog-Request-Id` of the request. Find the request in the service's log by it.",
    },
    retryable: {
      type: 'boolean',
      description:
        'Whether you may send the very same request again, after `Retry-After` seconds if the answer has that header.',
    },
  },
}

const dependencySchema = (status: JsonSchema): JsonSchema => ({
  type: 'object',
  required: ['name', 'status'],
  properties: {
    name: { type: 'string', description: 'Its kind and address, without secrets.' },
    status,
    reason: {
      type: 'string',
      description:
        'The problem code that says why it is down or refuses writes. `/problems/<code>` explains it.',
    },
  },
})

const readinessSchema: JsonSchema = {
  type: 'object',
  required: ['status', 'dependencies'],
  properties: {
    status: {
      type: 'string',
      enum: ['ready', 'degraded', 'unavailable', 'draining'],
      description:
        '`ready` and `degraded` come with 200, `unavailable` and `draining` with 503. `degraded`: the cache is down, or only reads work. `draining`: the node is about to stop.',
    },
    dependencies: {
      type: 'object',
      description: 'The state of each dependency.',
      required: ['database', 'cache'],
      properties: {
        database: dependencySchema({ type: 'string', enum: ['up', 'down'] }),
        cache: dependencySchema({
          type: 'string',
          enum: ['up', 'down', 'read-only'],
          description:
            '`read-only`: the cache refuses writes, so the service does not read from it either.',
        }),
      },
    },
  },
}

const healthSchema: JsonSchema = {
  type: 'object',
  required: ['status'],
  properties: { status: { type: 'string', enum: ['ok'] } },
}

/** `components.schemas` of the OpenAPI document. */
export const componentSchemas: Record<ComponentName, JsonSchema> = {
  ...(Object.fromEntries(
    Object.entries(wireSchemas).map(([name, schema]) => [name, publishSchema(schema, true)]),
  ) as Record<keyof typeof wireSchemas, JsonSchema>),
  Problem: problemSchema,
  Health: healthSchema,
  Readiness: readinessSchema,
}

/**
 * A Standard Schema that accepts every value. As a route's `params`, it keeps the OpenAPI plugin
 * from replacing our description of the path parameters by its own.
 */
export const passThrough = {
  '~standard': {
    version: 1,
    vendor: 'turnlog',
    validate: (value: unknown) => ({ value: value as Record<string, string> }),
    jsonSchema: { input: () => ({}), output: () => ({}) },
    types: undefined as { input: unknown; output: Record<string, string> } | undefined,
  },
} as const
