/**
 * The AsyncAPI 3 document of the live socket. It is made from the schemas that the frames are
 * checked with.
 */
import type { TSchema } from 'typebox'
import packageJson from '../../../package.json' with { type: 'json' }
import { clientExamples } from '../../live/protocol/client-examples.ts'
import { closings } from '../../live/protocol/close-codes.ts'
import { protocolName, tailMax } from '../../live/protocol/frame-fields.ts'
import { clientFrames } from '../../live/protocol/protocol.ts'
import { serverExamples } from '../../live/protocol/server-examples.ts'
import { serverFrames } from '../../live/protocol/server-frames.ts'
import { componentSchemas, type JsonSchema, publishSchema } from '../openapi/component-schemas.ts'
import { answer } from '../request/answer.ts'
import type { Router } from '../services.ts'
import { livePath } from './live-socket.ts'

export const asyncapiPath = '/asyncapi.json'

type Frames = Readonly<Record<string, TSchema>>
type Examples = Readonly<Record<string, object>>

/**
 * The name of a frame in the document: a client's `sub` is `clientSub`, because both sides have a
 * `partial`.
 */
const nameOf = (side: 'client' | 'server', t: string) =>
  `${side}${t.charAt(0).toUpperCase()}${t.slice(1)}`

const messagesOf = (side: 'client' | 'server', frames: Frames, examples: Examples) =>
  Object.entries(frames).map(([t, schema]) => {
    const { description, ...payload } = publishSchema(schema, true)
    const message = { name: t, title: t, summary: description, payload }
    return [nameOf(side, t), { ...message, examples: [{ payload: examples[t] }] }] as const
  })

const messages = [
  ...messagesOf('client', clientFrames, clientExamples),
  ...messagesOf('server', serverFrames, serverExamples),
]

const referencesOf = (side: 'client' | 'server', frames: Frames) =>
  Object.keys(frames).map((t) => ({ $ref: `#/channels/live/messages/${nameOf(side, t)}` }))

/** The named schemas that a part of the document refers to, directly or through other schemas. */
function schemasOf(part: unknown, found: Record<string, JsonSchema> = {}) {
  const names = JSON.stringify(part).matchAll(/"#\/components\/schemas\/(\w+)"/g)
  for (const [, name = ''] of names) {
    const schema = Object.entries(componentSchemas).find(([each]) => each === name)?.[1]
    if (schema === undefined || name in found) continue
    found[name] = schema
    schemasOf(schema, found)
  }
  return found
}

const closeCodes = Object.entries(closings)
  .map(([reason, { code, help }]) => `- ${code} \`${reason}\`: ${help}`)
  .join('\n')

const query: JsonSchema = {
  type: 'object',
  properties: {
    conversation: {
      type: 'string',
      format: 'uuid',
      description: 'Follow this conversation as soon as the socket opens, without a `sub`.',
    },
    cursor: {
      type: 'string',
      description: 'Continue after this cursor of the conversation, after a reconnect.',
    },
    tail: {
      type: 'integer',
      minimum: 0,
      maximum: tailMax,
      description: 'Start with the newest N messages of the conversation.',
    },
  },
}

const document = {
  asyncapi: '3.0.0',
  info: {
    title: 'Turnlog live',
    version: packageJson.version,
    description: [
      `The protocol \`${protocolName}\`: one WebSocket follows many conversations. After a reconnect, each`,
      'continues from its cursor without a gap.',
      'Each text message is one JSON object, a frame. Clients ignore fields and frames that they do not',
      'know.',
      '',
      'The server closes a socket with a `bye` and one of these codes. After 40xx, reconnect only with a',
      'corrected client. After 41xx, reconnect with growing delays. After 42xx, reconnect at once.',
      '',
      closeCodes,
    ].join('\n'),
  },
  defaultContentType: 'application/json',
  servers: {
    local: {
      host: 'localhost:3000',
      protocol: 'ws',
      description: 'The default address of a service on this machine.',
    },
  },
  channels: {
    live: {
      address: livePath,
      title: 'Live turns',
      servers: [{ $ref: '#/servers/local' }],
      messages: Object.fromEntries(
        messages.map(([name]) => [name, { $ref: `#/components/messages/${name}` }]),
      ),
      bindings: { ws: { method: 'GET', query, bindingVersion: '0.1.0' } },
    },
  },
  operations: {
    receive: {
      action: 'receive',
      channel: { $ref: '#/channels/live' },
      summary: 'Frames that clients send.',
      messages: referencesOf('client', clientFrames),
    },
    send: {
      action: 'send',
      channel: { $ref: '#/channels/live' },
      summary: 'Frames that the server sends.',
      messages: referencesOf('server', serverFrames),
    },
  },
  components: { messages: Object.fromEntries(messages), schemas: schemasOf(messages) },
}

export function addAsyncapi(router: Router): void {
  router.get(asyncapiPath, () => answer(document), { detail: { hide: true } })
}
