/** Turns take short ways through the database, alone and many at once: what they leave there is what the long way leaves. */
import { afterAll, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { newId } from '../../../src/conversation/wire/ids.ts'
import { localPrincipal } from '../../../src/conversation/wire/principal.ts'
import type { NewTurn } from '../../../src/conversation/wire/schemas.ts'
import { recordCall } from '../../../src/conversation/writing/record-call.ts'
import { prepareTurn } from '../../../src/conversation/writing/turn.ts'
import type { Database } from '../../../src/ports/database.ts'
import { freshPglite } from '../../support/servers/databases.ts'

const me = localPrincipal
const database: Database = await freshPglite()
await database.migrate()
afterAll(() => database[Symbol.asyncDispose]())

const made = async (): Promise<string> => {
  const id = newId()
  await database.query({
    text: `INSERT INTO conversations (id, tenant, version, self_version, last_seq, created_at)
      VALUES ($1::uuid, 'default', 1, 1, 0, now())`,
    params: [id],
  })
  return id
}

type Sent = { readonly turn: NewTurn; readonly key: string | undefined }
type Placed = Sent & { readonly c: string }
type Outcome = { readonly n: number; readonly turnId: string | null }

/**
 * The answers to turns that go as one call. Those that wait for whoever holds a conversation go by the
 * rules for all turns.
 */
async function record(turns: readonly Placed[], wait = false): Promise<Outcome[]> {
  const prepared = turns.map(({ c, turn, key }) => prepareTurn(me, c, turn, key))
  const answers = await database.query<Outcome>(recordCall(prepared, wait, 1000))
  expect(answers.length).toBe(turns.length)
  return answers.toSorted((a, b) => a.n - b.n)
}

/** Ids are new each time; whether there is one is not. */
const comparable = ({ turnId, ...rest }: Outcome) => ({ ...rest, isReplay: turnId !== null })

/** Calls of the rules for all turns so far. */
async function longCalls(): Promise<number> {
  await database.query({ text: 'SELECT pg_stat_force_next_flush()', params: [] })
  const [row] = await database.query<{ calls: number }>({
    text: "SELECT coalesce(sum(calls), 0)::int8 AS calls FROM pg_stat_user_functions WHERE funcname = 'turnlog_record_v2'",
    params: [],
  })
  return row?.calls ?? Number.NaN
}

/** All that is there of a conversation; ids by the place where they first stand, receipts left out. */
async function leftIn(c: string): Promise<unknown> {
  const rowsOf = (table: string, own: string, order: string) =>
    database.query({
      text: `SELECT to_jsonb(r) AS row FROM ${table} r WHERE ${own} = $1::uuid ORDER BY ${order}`,
      params: [c],
    })
  const all = [
    await rowsOf('conversations', 'id', 'id'),
    await rowsOf('conversation_messages', 'conversation_id', 'seq'),
    await rowsOf('voice_sessions', 'conversation_id', 'id'),
  ]
  const places = new Map<string, string>()
  const placed = JSON.stringify(all).replace(
    /[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}/g,
    (id) => {
      if (!places.has(id)) places.set(id, `id ${places.size}`)
      return places.get(id) ?? ''
    },
  )
  return JSON.parse(placed.replace(/"created_at": ?"[^"]*"(?=[^{}]*"self_version")/g, '"":""'))
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
  { sessionId: fc.constantFrom('call-1', 'call-2'), durationSeconds: fc.nat(90) },
  { requiredKeys: ['sessionId'] },
)
const user = fc.record({ text, at, voice, metadata }, { requiredKeys: ['text', 'at'] })
const assistant = fc.record(
  { responses: fc.array(text, { minLength: 1, maxLength: 3 }), at, metadata, firstAudioAt: at },
  { requiredKeys: ['responses', 'at'] },
)
/** Few keys, so that some come again, with the same body and with another. */
const sent: fc.Arbitrary<Sent> = fc.record({
  turn: fc
    .record({ user, assistant }, { requiredKeys: ['assistant'] })
    .map((turn) => withoutAbsent(turn)),
  key: fc.option(fc.constantFrom('k1', 'k2', 'k3'), { nil: undefined }),
})

const withoutAbsent = (value: object): NewTurn => JSON.parse(JSON.stringify(value)) as NewTurn

describe('a turn that is recorded by itself', () => {
  test('leaves and answers what it does beside another one', async () => {
    const other = await made()
    const filler: Sent = { turn: { assistant: { responses: ['x'] } }, key: undefined }
    let replayed = 0
    await fc.assert(
      fc.asyncProperty(fc.array(sent, { minLength: 1, maxLength: 8 }), async (turns) => {
        const [lone, beside] = [await made(), await made()]
        for (const one of turns) {
          const [short] = await record([{ ...one, c: lone }])
          const [long] = await record(
            [
              { ...one, c: beside },
              { ...filler, c: other },
            ],
            true,
          )
          if (short === undefined || long === undefined) throw new Error('no answer')
          expect(comparable(short)).toEqual(comparable(long))
          if (short.turnId !== null) replayed += 1
        }
        expect(await leftIn(lone)).toEqual(await leftIn(beside))
      }),
      { numRuns: 60, seed: 7 },
    )
    // Keys did come again.
    expect(replayed).toBeGreaterThan(0)
  }, 60_000)
})

describe('a plain turn that is recorded by itself', () => {
  const hello: NewTurn = { user: { text: 'Hello' }, assistant: { responses: ['Hello!'] } }

  test('takes the short way, with a key and without', async () => {
    await database.query({ text: "SET track_functions = 'pl'", params: [] })
    const c = await made()
    const before = await longCalls()
    await record([{ c, turn: hello, key: undefined }])
    await record([{ c, turn: hello, key: 'k1' }])
    await record([{ c, turn: { assistant: { responses: ['Hello?'] } }, key: 'k2' }])
    expect(await longCalls()).toBe(before)
    // It was there before.
    await record([{ c, turn: hello, key: 'k1' }])
    expect(await longCalls()).toBe(before + 1)
  })

  test('is flushed before it is answered, whatever the session says', async () => {
    const c = await made()
    const said = async () => {
      const [row] = await database.query<{ flush: string }>({
        text: "SELECT current_setting('synchronous_commit') AS flush",
        params: [],
      })
      return row?.flush
    }
    for (const [session, wanted] of [
      ['off', 'on'],
      ['local', 'on'],
      ['remote_apply', 'remote_apply'],
    ]) {
      await database.query({ text: `SET synchronous_commit = ${session}`, params: [] })
      await database.query({ text: 'BEGIN', params: [] })
      await record([{ c, turn: hello, key: undefined }])
      expect(await said()).toBe(wanted)
      await database.query({ text: 'ROLLBACK', params: [] })
      await database.query({ text: 'RESET synchronous_commit', params: [] })
    }
  })
})

describe('a conversation that is recorded to', () => {
  /** How often the table was gone through, and by which of its indexes it was looked into. */
  async function looks(): Promise<Record<string, number>> {
    await database.query({ text: 'SELECT pg_stat_force_next_flush()', params: [] })
    const rows = await database.query<{ name: string; looks: number }>({
      text: `SELECT indexrelname AS name, idx_scan AS looks FROM pg_stat_user_indexes WHERE relname = 'conversations'
        UNION ALL SELECT 'scan', seq_scan FROM pg_stat_user_tables WHERE relname = 'conversations'`,
      params: [],
    })
    return Object.fromEntries(rows.map(({ name, looks }) => [name, looks]))
  }
  const hello: NewTurn = { user: { text: 'Hello' }, assistant: { responses: ['Hello!'] } }

  test.each(['never analysed', 'small when it was analysed', 'large when it was analysed'])(
    'is found by its key, in a table that was %s',
    async (state) => {
      if (state.startsWith('large')) await Promise.all(Array.from({ length: 300 }, () => made()))
      const ids = await Promise.all(Array.from({ length: 6 }, () => made()))
      if (state !== 'never analysed')
        await database.query({ text: 'ANALYZE conversations', params: [] })
      const before = await looks()
      // A plan is made for the values of a call a few times, and then for all.
      for (let round = 0; round < 8; round += 1) {
        await record(ids.map((c) => ({ c, turn: hello, key: undefined })))
        await record([{ c: ids[0] ?? '', turn: hello, key: `k${round}` }])
      }
      const after = await looks()
      expect(after).toEqual({ ...before, conversations_pkey: expect.any(Number) })
      expect(after['conversations_pkey'] ?? 0).toBeGreaterThan(before['conversations_pkey'] ?? 0)
    },
  )
})

describe('turns that are recorded at once', () => {
  /** Conversation 3 is erased, and 4 was never made. */
  const places = [0, 1, 2, 0, 1, 2, 3, 4] as const
  const placed = fc.record({ sent, place: fc.constantFrom(...places) })
  /** Twins of a key go into two calls: `commit.ts` sees to it. */
  const batch = fc.uniqueArray(placed, {
    minLength: 2,
    maxLength: 7,
    selector: ({ sent: { key }, place }) => (key === undefined ? {} : `${place} ${key}`),
  })

  const world = async () => {
    const ids = [await made(), await made(), await made(), await made(), newId()]
    await database.query({
      text: "UPDATE conversations SET erased_at = '2026-01-01' WHERE id = $1::uuid",
      params: [ids[3] ?? ''],
    })
    // Audio that waits for a part of a turn to come.
    await database.query({
      text: `INSERT INTO held_audio (conversation_id, key, part, tenant, text_hash, url, expires_at)
        VALUES ($1::uuid, 'k3', 0, 'default', sha256('x'), 'https://a.test/x', now() + interval '1 hour')`,
      params: [ids[1] ?? ''],
    })
    return ids
  }
  const inWorld = (ids: readonly string[], turns: readonly { sent: Sent; place: number }[]) =>
    turns.map(({ sent, place }) => ({ ...sent, c: ids[place] ?? '' }))

  test('leave and answer, one after the other, what the rules for all turns do', async () => {
    const outcomes = new Set<unknown>()
    await fc.assert(
      fc.asyncProperty(fc.array(placed, { minLength: 1, maxLength: 8 }), async (turns) => {
        const [short, long] = [await world(), await world()]
        for (const turn of turns.flatMap((one) => [one, one])) {
          const found = await record(inWorld(short, [turn]))
          const wanted = await record(inWorld(long, [turn]), true)
          expect(found.map(comparable)).toEqual(wanted.map(comparable))
          for (const one of found) outcomes.add('outcome' in one ? one.outcome : undefined)
        }
        for (const [index, c] of short.entries())
          expect(await leftIn(c)).toEqual(await leftIn(long[index] ?? ''))
      }),
      { numRuns: 60, seed: 13 },
    )
    for (const one of ['conversation-erased', 'conversation-not-found', 'recorded', 'replayed'])
      expect(outcomes).toContain(one)
  }, 60_000)

  test('leave and answer what the rules for all turns do', async () => {
    const outcomes = new Set<unknown>()
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 5 }), async (batches) => {
        const [short, long] = [await world(), await world()]
        // Each comes again: with a key it is answered, without one it is another turn.
        for (const turns of batches.flatMap((batch) => [batch, batch])) {
          const found = await record(inWorld(short, turns))
          const wanted = await record(inWorld(long, turns), true)
          expect(found.map(comparable)).toEqual(wanted.map(comparable))
          for (const one of found) outcomes.add('outcome' in one ? one.outcome : undefined)
        }
        for (const [index, c] of short.entries())
          expect(await leftIn(c)).toEqual(await leftIn(long[index] ?? ''))
      }),
      { numRuns: 60, seed: 11 },
    )
    expect(outcomes).toEqual(
      new Set([
        'conversation-erased',
        'conversation-not-found',
        'idempotency-conflict',
        'recorded',
        'replayed',
      ]),
    )
  }, 60_000)

  test('take the short way, keys and known voice sessions and all', async () => {
    await database.query({ text: "SET track_functions = 'pl'", params: [] })
    const [one, two] = [await made(), await made()]
    const turn = (sessionId: string): NewTurn => ({
      user: { text: 'Hello', voice: { sessionId } },
      assistant: { responses: ['Hello!'] },
    })
    const before = await longCalls()
    await record([
      { c: one, turn: turn('a'), key: 'k1' },
      { c: two, turn: turn('b'), key: 'k1' },
    ])
    // The sessions began.
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

  test('of two tenants under one id are not mixed', async () => {
    const [mine, other] = [await made(), await made()]
    const hello: NewTurn = { assistant: { responses: ['Hello!'] } }
    const prepared = [
      prepareTurn({ ...me, tenant: 'another' }, mine, hello, undefined),
      prepareTurn(me, mine, hello, undefined),
      prepareTurn(me, other, hello, undefined),
    ]
    const rows = await database.query(recordCall(prepared, false, 1000))
    expect(rows).toMatchObject([
      { n: 0, outcome: 'conversation-not-found' },
      { n: 1, outcome: 'recorded', version: 2, seq: 1 },
      { n: 2, outcome: 'recorded', version: 2, seq: 1 },
    ])
  })
})

describe('a conversation that has messages', () => {
  test('cannot be taken away, though no foreign key says so', async () => {
    const c = await made()
    const turn: NewTurn = { assistant: { responses: ['Hello!'] } }
    await record([{ c, turn, key: undefined }])
    const taken = (text: string) => database.query({ text, params: [c] })
    const refused = { outcome: 'refused', sqlState: '23503' }
    const remove = 'DELETE FROM conversations WHERE id = $1::uuid'
    expect(await taken(remove).catch((thrown: unknown) => thrown)).toMatchObject(refused)
    const rename = 'UPDATE conversations SET id = gen_random_uuid() WHERE id = $1::uuid'
    expect(await taken(rename).catch((thrown: unknown) => thrown)).toMatchObject(refused)
    await taken('DELETE FROM conversation_messages WHERE conversation_id = $1::uuid')
    await taken(remove)
  })
})
