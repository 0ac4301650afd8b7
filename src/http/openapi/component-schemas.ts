/** The wire schemas as the OpenAPI document shows them: JSON Schema 2020-12 with named components. */
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

/** TypeBox copies a schema when it marks it optional, so a named one is known by its text. */
const names = new Map(
  Object.entries(wireSchemas).map(([name, schema]) => [
    JSON.stringify(schema),
    name as ComponentName,
  ]),
)

const { pattern: timeOutPattern } = wire.TimeOut as { pattern?: string }

const isSchema = (value: unknown): value is JsonSchema =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** `root`: print it, and not a reference to it. */
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
    // TypeBox prints a record of anything as a pattern that matches every name.
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

/** Literals become an enum, and "or null" a second type: what generators of clients read best. */
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
    const safe = retry === undefined ? (retryable ? 'yes' : 'no') : 'see its page'
    return `| [${code}](/problems/${code}) | ${status} | ${safe} | ${title} |`
  }),
].join('\n')

const problemSchema: JsonSchema = {
  type: 'object',
  description: 'Problem details (RFC 9457). Every answer that is not 2xx carries one.',
  required: ['type', 'code', 'title', 'status', 'detail', 'retryable'],
  properties: {
    type: {
      type: 'string',
      format: 'uri-reference',
      description: 'The page that explains the code: `/problems/<code>`.',
    },
    code: { type: 'string', enum: problemCodes, description: codeTable },
    title: { type: 'string', description: 'The same for every occurrence of the code.' },
    status: { type: 'integer', description: 'The HTTP status.' },
    detail: { type: 'string', description: 'What is wrong with this request.' },
    errors: {
      type: 'array',
      description: 'One entry per place that breaks a rule.',
      items: {
        type: 'object',
        required: ['in', 'pointer', 'message'],
        properties: {
          in: { type: 'string', enum: ['body', 'query', 'path', 'header'] },
          pointer: { type: 'string', description: 'A JSON Pointer (RFC 6901) into that part.' },
          message: { type: 'string' },
        },
      },
    },
    requestId: {
      type: 'string',
      description: "The `Turnlog-Request-Id` of the answer; the service's log has it, too.",
    },
    retryable: {
      type: 'boolean',
      description: 'Whether the very same request can succeed later.',
    },
  },
}

const dependencySchema = (status: JsonSchema): JsonSchema => ({
  type: 'object',
  required: ['name', 'status'],
  properties: {
    name: { type: 'string', description: 'Where it is, without secrets.' },
    status,
    reason: {
      type: 'string',
      description:
        'Why it is down, or what it lacks: the code of a problem, with a page of its own.',
    },
  },
})

const readinessSchema: JsonSchema = {
  type: 'object',
  required: ['status', 'dependencies'],
  properties: {
    status: { type: 'string', enum: ['ready', 'degraded', 'unavailable', 'draining'] },
    dependencies: {
      type: 'object',
      description: 'Each dependency by its name.',
      required: ['database', 'cache'],
      properties: {
        database: dependencySchema({ type: 'string', enum: ['up', 'down'] }),
        cache: dependencySchema({
          type: 'string',
          enum: ['up', 'down', 'read-only'],
          description: '`read-only`: it answers and takes no writes, so nothing is read from it.',
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
 * A Standard Schema that lets everything pass. Given as a route's `params`, it keeps the OpenAPI
 * plugin from writing its own description of them over ours.
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
