/**
 * One caller never stalls the others: no body, frame or answer blocks the event loop for 200 ms,
 * even with every limit at the maximum that its setting allows.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { newId } from '../../../src/conversation/wire/ids.ts'
import type { Listening } from '../../../src/http/listen.ts'
import { settings } from '../../../src/settings/settings.ts'
import { longestHold } from '../../support/cache/loop-hold.ts'
import { RawSocket } from '../../support/live/raw-socket.ts'
import { type TestApp, testApp } from '../../support/servers/app.ts'
import { openPostgres } from '../../support/servers/databases.ts'
import { testDatabaseUrl } from '../../support/servers/postgres.ts'
import { until } from '../../support/servers/processes.ts'

const holdMsMax = 200
/** Garbage collection or a busy machine may lengthen a try, so the shortest of several counts. */
const tries = 4

const maximumOf = ({ schema }: { readonly schema: object }) =>
  'maximum' in schema ? Number(schema.maximum) : Number.NaN

const maxima = Object.fromEntries(
  Object.entries(settings.limits).map(([name, setting]) => [name, maximumOf(setting)]),
) as Record<keyof typeof settings.limits, number>
const bytesMax = maxima.turnBytesMax

let app: TestApp
let server: Listening
let url: string
let conversationId: string
beforeAll(async () => {
  url = await testDatabaseUrl()
  app = await testApp({
    overrides: {
      database: { url, deadlineMs: 60_000 },
      limits: maxima,
      writes: { batchBytesMax: maximumOf(settings.writes.batchBytesMax) },
    },
  })
  server = app.listen({ host: '127.0.0.1', port: 0 })
  conversationId = String((await app.ask('POST', '/v1/conversations', {})).body['id'])
}, 60_000)
afterAll(async () => {
  await server.stop(2000)
  await app[Symbol.asyncDispose]()
})

/** Repeats a piece until the body is full, or `count` times. */
const repeated = (piece: string, count = Number.POSITIVE_INFINITY) =>
  piece.repeat(Math.min(count, Math.floor((bytesMax - 400) / piece.length)))
const names = (count: number, filler = '') =>
  Array.from({ length: count }, (_, n) => `"${n.toString(36)}${filler}":0`).join(',')
const answered = (responses: string) => `{"assistant":{"responses":${responses}}}`
const traced = (trace: string) =>
  `{"assistant":{"responses":["a"],"memoryRetrievalTrace":${trace}}}`

/** The content of the turn in words, the status of the answer, and the turn. */
const turns: readonly [string, number, () => string][] = [
  ['one long text', 201, () => answered(`["${repeated('x')}"]`)],
  [
    'one long text of Chinese characters',
    201,
    () => answered(`["${repeated('中', bytesMax / 3 - 400)}"]`),
  ],
  ['escapes only', 201, () => answered(`["${repeated('\\n')}"]`)],
  ['quotes only', 201, () => answered(`["${repeated('\\"')}"]`)],
  ['control characters only', 201, () => answered(`["${repeated('\\u0001')}"]`)],
  ['[SPLIT] marks only', 204, () => answered(`["${repeated('[SPLIT]')}"]`)],
  ['hundreds of thousands of parts', 422, () => answered(`["${repeated('a[SPLIT]')}"]`)],
  ['responses that are numbers', 422, () => answered(`[${repeated('0,', 65_000)}0]`)],
  ['empty responses', 201, () => answered(`[${repeated('"",', 65_000)}"a"]`)],
  ['a long text in a trace', 201, () => traced(`{"a":"${repeated('x')}"}`)],
  ['numbers', 201, () => traced(`{"a":[${repeated('0.1234567890123456,', 65_000)}0]}`)],
  [
    'numbers of many digits',
    422,
    () => traced(`{"a":[${repeated('12345678901234567890,', 65_000)}0]}`),
  ],
  [
    'escapes before a number of 301 digits',
    201,
    () => traced(`{"a":"${repeated('\\n')}","b":1e300}`),
  ],
  ['exponents inside a text', 201, () => traced(`{"a":"${repeated('1e+3 ')}","b":1e300}`)],
  ['numbers of 301 digits', 201, () => traced(`{"a":[${repeated('1e300,', 3000)}0]}`)],
  ['one number of a million digits', 422, () => traced(`{"a":${repeated('1')}}`)],
  ['many names', 201, () => traced(`{${names(16_000)}}`)],
  ['many long names', 201, () => traced(`{${names(16_000, 'x'.repeat(45))}}`)],
  ['unknown fields', 422, () => `{${names(16_000)}}`],
  [
    'members called __proto__',
    201,
    () => traced(`{"a":[${repeated('{"__proto__":{}},', 16_000)}0]}`),
  ],
  [
    'deep nesting',
    201,
    () => traced(`{"a":[${repeated(`${'['.repeat(500)}${']'.repeat(500)},`, 60)}0]}`),
  ],
  [
    'characters that cannot be stored',
    422,
    () => traced(`{"a":[${repeated('"\\u0000",', 65_000)}0]}`),
  ],
  [
    'URLs',
    422,
    () =>
      `{"assistant":{"responses":["a"],"ttsAudioUrls":[${repeated('"http://a.example/",', 65_000)}null]}}`,
  ],
  ['more values than are allowed', 413, () => traced(`{"a":[${repeated('0,')}0]}`)],
  ['more names than are allowed', 413, () => traced(`{${names(17_000)}}`)],
  ['brackets only', 413, () => repeated('[')],
  ['line feeds only', 400, () => `${repeated('\n')}x`],
  ['an unterminated text', 400, () => `{"a":"${repeated('x')}`],
  ['an unterminated text of escapes', 400, () => `{"a":"${repeated('\\n')}`],
]

/**
 * The longest time that `work` blocked the event loop, in milliseconds: the shortest of several
 * tries.
 */
async function longestBlock(work: () => Promise<unknown>): Promise<number> {
  let shortest = Number.POSITIVE_INFINITY
  for (let n = 0; n < tries && shortest >= holdMsMax / 2; n += 1)
    shortest = Math.min(shortest, await longestHold(work))
  return shortest
}

/** Reads a body to its end and counts its bytes. */
async function drained({ body }: Response): Promise<number> {
  let bytes = 0
  if (body !== null) for await (const chunk of body) bytes += chunk.byteLength
  return bytes
}

describe('a large body', () => {
  test.each(turns)(
    'a body with %s does not block the event loop',
    async (_, status, make) => {
      const bytes = new TextEncoder().encode(make())
      expect(bytes.byteLength).toBeLessThanOrEqual(bytesMax)
      const statuses = new Set<number>()
      const hold = await longestBlock(async () => {
        const response = await app.fetch(
          new Request(`http://turnlog.test/v1/conversations/${conversationId}/turns`, {
            method: 'POST',
            headers: { 'content-type': 'application/json', 'idempotency-key': newId() },
            body: bytes,
          }),
        )
        statuses.add(response.status)
        await drained(response)
      })
      expect([...statuses]).toEqual([status])
      expect(hold).toBeLessThan(holdMsMax)
    },
    60_000,
  )
})

describe('a large frame', () => {
  test.each(turns.filter(([, status]) => status !== 204))(
    'a frame with %s does not block the event loop',
    async (_, status, make) => {
      const raw = await RawSocket.open(server.url, '/v1/live')
      const answers = () => raw.texts.filter((text) => !text.startsWith('{"t":"ping"'))
      const hold = await longestBlock(async () => {
        const before = answers().length
        raw.send(
          `{"t":"record","id":"x","c":"${conversationId}","key":"${newId()}","turn":${make()}}`,
        )
        await until('it is answered', () => answers().length > before)
      })
      const last = JSON.parse(answers().at(-1) ?? '')
      expect(status === 201 ? last.t : last.status).toBe(status === 201 ? 'recorded' : status)
      expect(hold).toBeLessThan(holdMsMax)
      raw.socket.destroy()
    },
    60_000,
  )
})

describe('a large answer', () => {
  const count = 10_000
  let id: string
  beforeAll(async () => {
    id = String((await app.ask('POST', '/v1/conversations', {})).body['id'])
    await using database = await openPostgres(url)
    const statement = `WITH w AS (
        INSERT INTO conversation_messages (conversation_id, seq, id, tenant, turn_id, version, role, parts, message_type, created_at)
        SELECT c.id, n, gen_random_uuid(), c.tenant, gen_random_uuid(), n + 1, 'ai', ARRAY[repeat('x', 2000)], 'text', now()
        FROM conversations c, generate_series(1, $2::integer) n WHERE c.id = $1::uuid)
      UPDATE conversations SET version = $2::integer + 1, last_seq = $2::integer WHERE id = $1::uuid`
    await database.query({ text: statement, params: [id, count] })
  }, 60_000)

  test.each([
    ['history', 40_000_000],
    ['history?format=openai', 20_000_000],
    ['history?format=langchain', 20_000_000],
    ['messages?limit=1000', 4_000_000],
    ['changes?limit=1000', 3_000_000],
  ])(
    'the answer to GET %s does not block the event loop',
    async (path, least) => {
      let bytes = 0
      const hold = await longestBlock(async () => {
        bytes = await drained(
          await app.fetch(new Request(`http://turnlog.test/v1/conversations/${id}/${path}`)),
        )
      })
      expect(bytes).toBeGreaterThan(least)
      expect(hold).toBeLessThan(holdMsMax)
    },
    60_000,
  )

  test('a history that is sent in pieces is one valid JSON text with every message', async () => {
    const request = new Request(`http://turnlog.test/v1/conversations/${id}/history`)
    const text = await (await app.fetch(request)).text()
    const body = JSON.parse(text) as { messages: { seq: number }[] }
    expect(body.messages.map(({ seq }) => seq)).toEqual(
      Array.from({ length: count }, (_, n) => n + 1),
    )
    expect(JSON.stringify(body) === text).toBe(true)
  }, 60_000)
})
