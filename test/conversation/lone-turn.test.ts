/** A lone turn takes a short way through the database: what it leaves there is what the long way leaves. */
import { afterAll, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { newId } from '../../src/conversation/ids.ts'
import { localPrincipal } from '../../src/conversation/principal.ts'
import { prepareTurn } from '../../src/conversation/turn.ts'
import type { NewTurn } from '../../src/conversation/wire.ts'
import type { Database } from '../../src/ports/database.ts'
import { freshPglite } from '../support/databases.ts'

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
type Outcome = { readonly n: number; readonly turnId: string | null }

/** The answer to the first of these turns, which go as one call. */
async function record(turns: readonly (Sent & { readonly c: string })[]): Promise<Outcome> {
  const rows = turns.map(({ c, turn, key }, n) => ({ ...prepareTurn(me, c, turn, key).row, n }))
  const answers = await database.query<Outcome>({
    text: `SELECT n, outcome, version, seq, head, turn_id AS "turnId", urls, began
      FROM turnlog_record_v2($1::text::jsonb, false, 1000)`,
    params: [JSON.stringify(rows)],
  })
  const first = answers.find(({ n }) => n === 0)
  if (first === undefined) throw new Error('no answer')
  return first
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
          const { turnId: a, ...short } = await record([{ ...one, c: lone }])
          const { turnId: b, ...long } = await record([
            { ...one, c: beside },
            { ...filler, c: other },
          ])
          expect(short).toEqual(long)
          expect(a === null).toBe(b === null)
          if (a !== null) replayed += 1
        }
        expect(await leftIn(lone)).toEqual(await leftIn(beside))
      }),
      { numRuns: 60, seed: 7 },
    )
    // Keys did come again.
    expect(replayed).toBeGreaterThan(0)
  }, 60_000)
})
