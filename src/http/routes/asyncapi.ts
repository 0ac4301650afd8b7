/** The AsyncAPI 3 document of the live socket, from the schemas that the frames are checked with. */
import type { TSchema } from 'typebox'
import packageJson from '../../../package.json' with { type: 'json' }
import { clientExamples } from '../../live/protocol/client-examples.ts'
import { closings } from '../../live/protocol/close-codes.ts'
import { protocolName, tailMax } from '../../live/protocol/frame-fields.ts'
import { clientFrames } from '../../live/protocol/protocol.ts'
import { serverExamples } from '../../live/protocol/server-examples.ts'
import { serverFrames } from '../../live/protocol/server-frames.ts'
import { componentSchemas, type JsonSchema, published } from '../openapi/component-schemas.ts'
import { answer } from '../request/answer.ts'
import type { Router } from '../services.ts'
import { livePath } from './live-socket.ts'

export const asyncapiPath = '/asyncapi.json'

type Frames = Readonly<Record<string, TSchema>>
type Examples = Readonly<Record<string, object>>

/** `sub` of a client is `clientSub`: both sides have a `partial`. */
const nameOf = (side: 'client' | 'server', t: string) =>
  `${side}${t.charAt(0).toUpperCase()}${t.slice(1)}`

const messagesOf = (side: 'client' | 'server', frames: Frames, examples: Examples) =>
  Object.entries(frames).map(([t, schema]) => {
    const { description, ...payload } = published(schema, true)
    const message = { name: t, title: t, summary: description, payload }
    return [nameOf(side, t), { ...message, examples: [{ payload: examples[t] }] }] as const
  })

const messages = [
  ...messagesOf('client', clientFrames, clientExamples),
  ...messagesOf('server', serverFrames, serverExamples),
]

const referencesOf = (side: 'client' | 'server', frames: Frames) =>
  Object.keys(frames).map((t) => ({ $ref: `#/channels/live/messages/${nameOf(side, t)}` }))

/** The named schemas that a part of the document refers to, with those that they refer to. */
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
    conversation: { type: 'string', format: 'uuid', description: 'Follow it at once.' },
    cursor: { type: 'string', description: 'From here on.' },
    tail: { type: 'integer', minimum: 0, maximum: tailMax, description: 'From its newest.' },
  },
}

const document = {
  asyncapi: '3.0.0',
  info: {
    title: 'Turnlog live',
    version: packageJson.version,
    description: [
      `The protocol \`${protocolName}\`: one socket, many conversations, resumed by cursor without a gap.`,
      'One JSON object a text message. Clients ignore fields and frames that they do not know.',
      '',
      'The server closes with a `bye` and one of these codes. 40xx do not come back unchanged, 41xx',
      'come back later and later, 42xx come back at once.',
      '',
      closeCodes,
    ].join('\n'),
  },
  defaultContentType: 'application/json',
  servers: {
    local: { host: 'localhost:3000', protocol: 'ws', description: 'Where it runs by default.' },
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
      summary: 'What clients send.',
      messages: referencesOf('client', clientFrames),
    },
    send: {
      action: 'send',
      channel: { $ref: '#/channels/live' },
      summary: 'What the server sends.',
      messages: referencesOf('server', serverFrames),
    },
  },
  components: { messages: Object.fromEntries(messages), schemas: schemasOf(messages) },
}

export function addAsyncapi(router: Router): void {
  router.get(asyncapiPath, () => answer(document), { detail: { hide: true } })
}
