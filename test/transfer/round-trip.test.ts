/**
 * Property test: after any operations on a conversation, an import of its export makes an equal
 * one.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { newId } from '../../src/conversation/wire/ids.ts'
import type { RecordedTurn, Segment } from '../../src/conversation/wire/schemas.ts'
import { type Node, startNode } from '../support/servers/node.ts'
import { testDatabaseUrl } from '../support/servers/postgres.ts'
import { comparable, exportedFrom, importedInto, printed } from '../support/transfer/transfer.ts'
import { readConversation } from '../support/writing/checker.ts'
import { call } from '../support/writing/client.ts'

/** `TRANSFERS=1000` is the long run. */
const numRuns = Number(process.env['TRANSFERS'] ?? 40)

const text = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
  fc.constantFrom('hello ', ' \n', '😀[SPL', 'IT]', '"\\', '你好。'),
)
const json = fc.dictionary(
  fc.oneof(fc.string({ maxLength: 4 }), fc.constantFrom('__proto__', 'constructor')),
  fc.jsonValue({ maxDepth: 3 }),
  { maxKeys: 3 },
)
const url = fc.option(
  fc.nat(9).map((n) => `https://audio.example/${n}`),
  { nil: null, freq: 4 },
)
const urls = fc.array(url, { maxLength: 4 })
const index = fc.nat(3)
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
const at = fc.constantFrom(
  '2026-01-02T03:04:05.000001Z',
  '2026-01-02T03:04:05.999999+05:30',
  '0001-01-01T00:00:00Z',
  '1969-12-31T23:59:59.5',
)
const members = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(model, { requiredKeys: [] })

const operation = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant('segment' as const) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('turn' as const),
      user: maybe(
        fc.record(
          {
            text,
            at,
            voice: members({ sessionId: text, durationSeconds: fc.integer({ min: -1, max: 9 }) }),
            metadata: json,
          },
          { requiredKeys: ['text'] },
        ),
      ),
      assistant: fc.record(
        {
          responses: fc.array(text, { minLength: 1, maxLength: 4 }),
          at,
          ttsAudioUrls: urls,
          memoryRetrievalTrace: json,
          metadata: json,
        },
        { requiredKeys: ['responses'] },
      ),
      segment: maybe(index),
      agentResponse: maybe(fc.oneof(text, fc.constant(''))),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('attach' as const),
      message: index,
      audio: fc.oneof(
        fc.record({ ttsAudioUrls: urls }),
        fc.record({ part: fc.nat(3), ttsAudioUrl: url }),
      ),
      segment: maybe(index),
      updateSegment: maybe(fc.boolean()),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('patch' as const),
      body: members({ title: text, metadata: json }),
    }),
  },
)

type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never

let source: Node
let target: Node

beforeAll(async () => {
  source = await startNode({ DATABASE_URL: await testDatabaseUrl() })
  target = await startNode({ DATABASE_URL: await testDatabaseUrl() })
}, 30_000)
afterAll(async () => {
  await source[Symbol.asyncDispose]()
  await target[Symbol.asyncDispose]()
})

/** Runs operations on a conversation. A refused operation changes nothing and is not an error. */
async function carryOut(base: string, id: string, operations: readonly Operation[]): Promise<void> {
  const path = `/v1/conversations/${id}`
  const segments: string[] = []
  const messages: string[] = []
  const pick = (ids: readonly string[], n: number | undefined) =>
    n === undefined ? undefined : ids[n % Math.max(1, ids.length)]
  for (const one of operations) {
    if (one.do === 'segment') {
      const answer = await call<Segment>(base, 'POST', `${path}/segments`, {})
      if (answer.kind === 'answer') segments.push(answer.body.id)
    } else if (one.do === 'turn') {
      const { user, assistant, agentResponse } = one
      const segment = pick(segments, one.segment)
      const body = {
        user,
        assistant,
        ...(segment === undefined ? {} : { segment: { id: segment, agentResponse } }),
      }
      const answer = await call<RecordedTurn | null>(base, 'POST', `${path}/turns`, body)
      if (answer.kind === 'answer' && answer.body !== null)
        messages.push(answer.body.assistantMessageId)
    } else if (one.do === 'attach') {
      const message = pick(messages, one.message)
      const { audio, updateSegment } = one
      const body = { ...audio, segmentId: pick(segments, one.segment), updateSegment }
      if (message !== undefined) await call(base, 'PUT', `${path}/messages/${message}/tts`, body)
    } else await call(base, 'PATCH', path, one.body)
  }
}

describe('an export', () => {
  test('an import of an export makes an equal conversation, and a second import changes nothing', async () => {
    const created = members({ title: text, metadata: json })
    const operations = fc.array(operation, { minLength: 5, maxLength: 40, size: 'max' })
    await fc.assert(
      fc.asyncProperty(created, operations, async (body, carriedOut) => {
        const id = newId()
        const externalId = `of ${id}`
        await call(source.url, 'POST', '/v1/conversations', { ...body, id, externalId })
        await carryOut(source.url, id, carriedOut)
        const lines = await exportedFrom(source.url, [id])
        const first = await importedInto(target.url, printed(lines))
        expect(first.reported).toEqual([])
        expect(comparable(await exportedFrom(target.url, [id]))).toEqual(comparable(lines))
        // A second import changes nothing in either service.
        for (const { url } of [target, source]) {
          const { version } = await readConversation(url, id)
          expect((await importedInto(url, printed(lines))).reported).toEqual([])
          expect((await readConversation(url, id)).version).toBe(version)
        }
      }),
      { numRuns },
    )
  }, 600_000)
})
