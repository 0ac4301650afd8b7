/**
 * The quick record calls, for one turn and for plain turns, write the same rows as the rules for
 * all turns.
 */
import { afterAll, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { newId } from '../../../src/conversation/wire/ids.ts'
import { localPrincipal } from '../../../src/conversation/wire/principal.ts'
import type { NewTurn } from '../../../src/conversation/wire/schemas.ts'
import { batchCall, recordCall } from '../../../src/conversation/writing/record-call.ts'
import { type PreparedTurn, prepareTurn } from '../../../src/conversation/writing/turn.ts'
import type { Database } from '../../../src/ports/database.ts'
import { freshPglite } from '../../support/servers/databases.ts'

const me = localPrincipal
const database: Database = await freshPglite()
await database.migrate()
afterAll(() => database[Symbol.asyncDispose]())

/** The id of the segment in every conversation. */
const segmentId = newId()

const newConversation = async (): Promise<string> => {
  const id = newId()
  await database.query({
    text: `INSERT INTO conversations (id, tenant, version, self_version, last_seq, created_at)
      VALUES ($1::uuid, 'default', 1, 1, 0, now())`,
    params: [id],
  })
  await database.query({
    text: `INSERT INTO segments (conversation_id, id, tenant, version, created_at, updated_at)
      VALUES ($1::uuid, $2::uuid, 'default', 1, '2026-01-01', '2026-01-01')`,
    params: [id, segmentId],
  })
  return id
}

type Sent = { readonly turn: NewTurn; readonly key: string | undefined }
type SentTo = Sent & { readonly c: string }
type Outcome = { readonly n: number; readonly turnId: string | null }

/**
 * The forms of a record call: chosen by the turns, the same with waiting for locks, or the rules
 * for all turns.
 */
type Way = 'chosen' | 'waiting' | 'any'

const options = { wait: false, lockTimeoutMs: 1000 }

const callOf = (turns: readonly PreparedTurn[], way: Way) =>
  way === 'any'
    ? batchCall(turns, false, options)
    : recordCall(turns, { ...options, wait: way === 'waiting' })

/** Records turns with one call and returns the answers. */
async function record(turns: readonly SentTo[], way: Way = 'chosen'): Promise<Outcome[]> {
  const prepared = turns.map(({ c, turn, key }) => prepareTurn(me, c, turn, key))
  const answers = await database.query<Outcome>(callOf(prepared, way))
  expect(answers.length).toBe(turns.length)
  return answers.toSorted((a, b) => a.n - b.n)
}

/** An answer without its id, which is new in each run. */
const comparable = ({ turnId, ...rest }: Outcome) => ({ ...rest, isReplay: turnId !== null })

/** The number of calls of the rules for all turns so far. */
async function longCalls(): Promise<number> {
  await database.query({ text: 'SELECT pg_stat_force_next_flush()', params: [] })
  const [row] = await database.query<{ calls: number }>({
    text: "SELECT coalesce(sum(calls), 0)::int8 AS calls FROM pg_stat_user_functions WHERE funcname = 'turnlog_judge_turns_v1'",
    params: [],
  })
  return row?.calls ?? Number.NaN
}

/**
 * All rows of a conversation. Ids are replaced by the order of their first use, and times of
 * receipt are removed.
 */
async function rowsOf(c: string): Promise<unknown> {
  const tableRows = (table: string, own: string, order: string) =>
    database.query({
      text: `SELECT to_jsonb(r) AS row FROM ${table} r WHERE ${own} = $1::uuid ORDER BY ${order}`,
      params: [c],
    })
  const all = [
    await tableRows('conversations', 'id', 'id'),
    await tableRows('conversation_messages', 'conversation_id', 'seq'),
    await tableRows('voice_sessions', 'conversation_id', 'id'),
    await tableRows('segments', 'conversation_id', 'id'),
  ]
  const idNames = new Map<string, string>()
  const withIdNames = JSON.stringify(all).replace(
    /[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}/g,
    (id) => {
      if (!idNames.has(id)) idNames.set(id, `id ${idNames.size}`)
      return idNames.get(id) ?? ''
    },
  )
  const isOwnTime = /"updated_at": ?"[^"]*"|"created_at": ?"[^"]*"(?=[^{}]*"self_version")/g
  return JSON.parse(withIdNames.replace(isOwnTime, '"":""'))
}

const at = fc
  .integer({ min: 0, max: 86_400_000 })
  .map((ms) => new Date(Date.UTC(2026, 0, 1) + ms).toISOString())
const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter(isStorable)
const metadata = fc.option(fc.dictionary(fc.constantFrom('a', 'b', 'zz'), fc.integer()), {
  nil: undefined,
})

function isStorable(value: string): boolean {
  return value.isWellFormed() && !value.includes('\0')
}

const voice = fc.record(
  {
    sessionId: fc.constantFrom('call-1', 'call-2'),
    durationSeconds: fc.nat(90),
    speechEndedAt: at,
  },
  { requiredKeys: ['sessionId'] },
)
/** A value that only some turns have, so that the others are plain. */
const rarely = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { freq: 4, nil: undefined })
const oneOf = (prefix: string) =>
  rarely(fc.constantFrom(...[1, 2, 3].map((n) => `0192f0c1-7c00-7000-8000-${prefix}0000000${n}`)))
const segment = rarely(
  fc.record({
    id: fc.constantFrom(segmentId, segmentId, newId()),
    agentResponse: rarely(text),
  }),
)
const user = fc.record(
  { text, at, voice, metadata, id: oneOf('aaaa') },
  { requiredKeys: ['text', 'at'] },
)
const assistant = fc.record(
  {
    responses: fc.array(text, { minLength: 1, maxLength: 3 }),
    at,
    metadata,
    firstAudioAt: at,
    id: oneOf('bbbb'),
    ttsAudioUrls: fc.constantFrom(['https://a.test/1', null], [null, 'https://a.test/2']),
    memoryRetrievalTrace: fc.constant({ lookups: [{ n: 1 }] }),
  },
  { requiredKeys: ['responses', 'at'] },
)
/** A turn with one of few keys, so that some keys repeat, with the same body and with another. */
const sent: fc.Arbitrary<Sent> = fc.record({
  turn: fc
    .record({ user, assistant, segment }, { requiredKeys: ['assistant'] })
    .map((turn) => withoutAbsent(turn)),
  key: fc.option(fc.constantFrom('k1', 'k2', 'k3'), { nil: undefined }),
})

const withoutAbsent = (value: object): NewTurn => JSON.parse(JSON.stringify(value)) as NewTurn

describe('a turn that is recorded by itself', () => {
  test('a turn that is recorded alone has the same rows and answer as in a batch', async () => {
    const other = await newConversation()
    const filler: Sent = { turn: { assistant: { responses: ['x'] } }, key: undefined }
    let replayed = 0
    await fc.assert(
      fc.asyncProperty(fc.array(sent, { minLength: 1, maxLength: 8 }), async (turns) => {
        const [lone, beside] = [await newConversation(), await newConversation()]
        for (const one of turns) {
          const [short] = await record([{ ...one, c: lone }])
          const [long] = await record(
            [
              { ...one, c: beside },
              { ...filler, c: other },
            ],
            'any',
          )
          if (short === undefined || long === undefined) throw new Error('no answer')
          expect(comparable(short)).toEqual(comparable(long))
          if (short.turnId !== null) replayed += 1
        }
        expect(await rowsOf(lone)).toEqual(await rowsOf(beside))
      }),
      { numRuns: 60, seed: 7 },
    )
    // Some keys were used again.
    expect(replayed).toBeGreaterThan(0)
  }, 60_000)
})

describe('a plain turn that is recorded by itself', () => {
  const hello: NewTurn = { user: { text: 'Hello' }, assistant: { responses: ['Hello!'] } }

  test('a turn without a segment or ids of its caller does not call the general database function, with a key or without', async () => {
    await database.query({ text: "SET track_functions = 'pl'", params: [] })
    const c = await newConversation()
    const before = await longCalls()
    await record([{ c, turn: hello, key: undefined }])
    await record([{ c, turn: hello, key: 'k1' }])
    await record([{ c, turn: { assistant: { responses: ['Hello?'] } }, key: 'k2' }])
    expect(await longCalls()).toBe(before)
    // The key was recorded before.
    await record([{ c, turn: hello, key: 'k1' }])
    expect(await longCalls()).toBe(before + 1)
  })

  test('a plain turn is flushed before it is answered, for every synchronous_commit of the session', async () => {
    const c = await newConversation()
    const flushSetting = async () => {
      const [row] = await database.query<{ flush: string }>({
        text: "SELECT current_setting('synchronous_commit') AS flush",
        params: [],
      })
      return row?.flush
    }
    for (const [session, expected] of [
      ['off', 'on'],
      ['local', 'on'],
      ['remote_apply', 'remote_apply'],
    ]) {
      await database.query({ text: `SET synchronous_commit = ${session}`, params: [] })
      await database.query({ text: 'BEGIN', params: [] })
      await record([{ c, turn: hello, key: undefined }])
      expect(await flushSetting()).toBe(expected)
      await database.query({ text: 'ROLLBACK', params: [] })
      await database.query({ text: 'RESET synchronous_commit', params: [] })
    }
  })
})

describe('the look-up of a conversation', () => {
  /** The number of scans of the table `conversations`, and of each of its indexes. */
  async function scanCounts(): Promise<Record<string, number>> {
    await database.query({ text: 'SELECT pg_stat_force_next_flush()', params: [] })
    const rows = await database.query<{ name: string; scans: number }>({
      text: `SELECT indexrelname AS name, idx_scan AS scans FROM pg_stat_user_indexes WHERE relname = 'conversations'
        UNION ALL SELECT 'scan', seq_scan FROM pg_stat_user_tables WHERE relname = 'conversations'`,
      params: [],
    })
    return Object.fromEntries(rows.map(({ name, scans }) => [name, scans]))
  }
  const hello: NewTurn = { user: { text: 'Hello' }, assistant: { responses: ['Hello!'] } }

  test.each(['never analysed', 'small when it was analysed', 'large when it was analysed'])(
    'a conversation is found by its primary key in a table that was %s',
    async (state) => {
      if (state.startsWith('large'))
        await Promise.all(Array.from({ length: 300 }, () => newConversation()))
      const ids = await Promise.all(Array.from({ length: 6 }, () => newConversation()))
      if (state !== 'never analysed')
        await database.query({ text: 'ANALYZE conversations', params: [] })
      const before = await scanCounts()
      // Postgres plans the first calls for their values, and later calls with one generic plan.
      for (let pass = 0; pass < 8; pass += 1) {
        await record(ids.map((c) => ({ c, turn: hello, key: undefined })))
        await record([{ c: ids[0] ?? '', turn: hello, key: `k${pass}` }])
      }
      const after = await scanCounts()
      expect(after).toEqual({ ...before, conversations_pkey: expect.any(Number) })
      expect(after['conversations_pkey'] ?? 0).toBeGreaterThan(before['conversations_pkey'] ?? 0)
    },
  )
})

describe('turns that are recorded in one call', () => {
  /** The index of a conversation. Conversation 3 is erased, and 4 does not exist. */
  const conversationIndexes = [0, 1, 2, 0, 1, 2, 3, 4] as const
  const indexed = fc.record({ sent, index: fc.constantFrom(...conversationIndexes) })
  /** A batch without two turns of one key or id, because the queue never forms one. */
  const batch = fc.array(indexed, { minLength: 2, maxLength: 7 }).map(withoutTwins)

  function withoutTwins(turns: readonly { sent: Sent; index: number }[]) {
    const names = new Set<string>()
    return turns.filter(({ sent: { turn, key }, index }) => {
      const own = [key, turn.user?.id, turn.assistant.id]
        .filter((name) => name !== undefined)
        .map((name) => `${index} ${name}`)
      const isTwin = own.some((name) => names.has(name))
      if (!isTwin) for (const name of own) names.add(name)
      return !isTwin
    })
  }

  const world = async () => {
    const ids = [
      await newConversation(),
      await newConversation(),
      await newConversation(),
      await newConversation(),
      newId(),
    ]
    await database.query({
      text: "UPDATE conversations SET erased_at = '2026-01-01' WHERE id = $1::uuid",
      params: [ids[3] ?? ''],
    })
    // Held audio waits for a part of a turn.
    await database.query({
      text: `INSERT INTO held_audio (conversation_id, key, part, tenant, text_hash, url, expires_at)
        VALUES ($1::uuid, 'k3', 0, 'default', sha256('x'), 'https://a.test/x', now() + interval '1 hour')`,
      params: [ids[1] ?? ''],
    })
    return ids
  }
  const inWorld = (ids: readonly string[], turns: readonly { sent: Sent; index: number }[]) =>
    turns.map(({ sent, index }) => ({ ...sent, c: ids[index] ?? '' }))

  test('a turn that is recorded alone has the same rows and answer as through the general database function', async () => {
    const outcomes = new Set<unknown>()
    await fc.assert(
      fc.asyncProperty(fc.array(indexed, { minLength: 1, maxLength: 8 }), async (turns) => {
        const [short, long] = [await world(), await world()]
        for (const turn of turns.flatMap((one) => [one, one])) {
          const found = await record(inWorld(short, [turn]))
          const expected = await record(inWorld(long, [turn]), 'any')
          expect(found.map(comparable)).toEqual(expected.map(comparable))
          for (const one of found) outcomes.add('outcome' in one ? one.outcome : undefined)
        }
        for (const [index, c] of short.entries())
          expect(await rowsOf(c)).toEqual(await rowsOf(long[index] ?? ''))
      }),
      { numRuns: 60, seed: 13 },
    )
    for (const one of [
      'conversation-erased',
      'conversation-not-found',
      'id-taken',
      'recorded',
      'replayed',
      'segment-not-found',
    ])
      expect(outcomes).toContain(one)
  }, 60_000)

  test('a batch that is recorded in one call has the same rows and answers as through the general database function', async () => {
    const outcomes = new Set<unknown>()
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 5 }), async (batches) => {
        const [short, long] = [await world(), await world()]
        // Each batch is sent twice: a turn with a key is a replay, and one without is another turn.
        for (const turns of batches.flatMap((batch) => [batch, batch])) {
          const found = await record(inWorld(short, turns))
          const expected = await record(inWorld(long, turns), 'any')
          expect(found.map(comparable)).toEqual(expected.map(comparable))
          for (const one of found) outcomes.add('outcome' in one ? one.outcome : undefined)
        }
        for (const [index, c] of short.entries())
          expect(await rowsOf(c)).toEqual(await rowsOf(long[index] ?? ''))
      }),
      { numRuns: 60, seed: 11 },
    )
    expect(outcomes).toEqual(
      new Set([
        'conversation-erased',
        'conversation-not-found',
        'id-taken',
        'idempotency-conflict',
        'recorded',
        'replayed',
        'segment-not-found',
      ]),
    )
  }, 60_000)

  test('a turn with a key and a known voice session does not call the general database function', async () => {
    await database.query({ text: "SET track_functions = 'pl'", params: [] })
    const [one, two] = [await newConversation(), await newConversation()]
    const turn = (sessionId: string): NewTurn => ({
      user: { text: 'Hello', voice: { sessionId } },
      assistant: { responses: ['Hello!'] },
    })
    const before = await longCalls()
    await record([
      { c: one, turn: turn('a'), key: 'k1' },
      { c: two, turn: turn('b'), key: 'k1' },
    ])
    // The turns began their sessions, which only the rules for all turns can do.
    expect(await longCalls()).toBe(before + 1)
    await record([
      { c: two, turn: turn('b'), key: 'k2' },
      { c: one, turn: turn('a'), key: 'k2' },
      { c: one, turn: { assistant: { responses: ['Are you there?'] } }, key: undefined },
    ])
    expect(await longCalls()).toBe(before + 1)
    const [head] = await database.query({
      text: 'SELECT version, last_seq AS "lastSeq" FROM conversations WHERE id = $1::uuid',
      params: [one],
    })
    expect(head).toEqual({ version: 4, lastSeq: 5 })
  })

  test('a batch does not mix the turns of two tenants with one conversation id', async () => {
    const [mine, other] = [await newConversation(), await newConversation()]
    const hello: NewTurn = { assistant: { responses: ['Hello!'] } }
    const prepared = [
      prepareTurn({ ...me, tenant: 'another' }, mine, hello, undefined),
      prepareTurn(me, mine, hello, undefined),
      prepareTurn(me, other, hello, undefined),
    ]
    const rows = await database.query(recordCall(prepared, options))
    expect(rows).toMatchObject([
      { n: 0, outcome: 'conversation-not-found' },
      { n: 1, outcome: 'recorded', version: 2, seq: 1 },
      { n: 2, outcome: 'recorded', version: 2, seq: 1 },
    ])
  })
})

describe('a conversation that has messages', () => {
  test('a conversation with messages cannot be deleted or renamed, although no foreign key protects it', async () => {
    const c = await newConversation()
    const turn: NewTurn = { assistant: { responses: ['Hello!'] } }
    await record([{ c, turn, key: undefined }])
    const run = (text: string) => database.query({ text, params: [c] })
    const refused = { outcome: 'refused', sqlState: '23503' }
    const remove = 'DELETE FROM conversations WHERE id = $1::uuid'
    expect(await run(remove).catch((thrown: unknown) => thrown)).toMatchObject(refused)
    const rename = 'UPDATE conversations SET id = gen_random_uuid() WHERE id = $1::uuid'
    expect(await run(rename).catch((thrown: unknown) => thrown)).toMatchObject(refused)
    await run('DELETE FROM conversation_messages WHERE conversation_id = $1::uuid')
    await run('DELETE FROM segments WHERE conversation_id = $1::uuid')
    await run(remove)
  })
})
