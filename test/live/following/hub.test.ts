/** The hub's reads of versions in a database with many conversations. */
import { expect, test } from 'bun:test'
import { createLiveReads } from '../../../src/conversation/reading/live-reads.ts'
import { createVersions } from '../../../src/conversation/reading/versions.ts'
import { localPrincipal as local } from '../../../src/conversation/wire/principal.ts'
import { Hub } from '../../../src/live/following/hub.ts'
import { LoopShare } from '../../../src/mechanics/loop-share.ts'
import type { Database, Param } from '../../../src/ports/database.ts'
import { freshPostgres } from '../../support/servers/databases.ts'

/** The same query without the function that forbids scans. */
const unguarded = `
  SELECT n.place, c.version FROM unnest($1::text[], $2::text[]::uuid[]) WITH ORDINALITY AS n(tenant, id, place)
  CROSS JOIN LATERAL (SELECT c.version FROM conversations c
    WHERE c.tenant = n.tenant AND c.id = n.id LIMIT 1) c`

const manyConversations = 50_000

const run = <Row extends object>(database: Database, text: string, params: readonly Param[] = []) =>
  database.query<Row>({ text, params }, { deadlineMs: 60_000 })

async function insert(database: Database, count: number): Promise<string[]> {
  const rows = await run<{ id: string }>(
    database,
    `INSERT INTO conversations (id, tenant, version, self_version, last_seq, created_at)
      SELECT gen_random_uuid(), $2, 7, 1, 0, now() FROM generate_series(1, $1::integer) RETURNING id`,
    [count, local.tenant],
  )
  return rows.map(({ id }) => id)
}

/** How many rows scans of the conversations have read so far. */
async function scannedRows(database: Database): Promise<number> {
  await run(database, 'SELECT pg_stat_force_next_flush()')
  const [row] = await run<{ rows: number }>(
    database,
    `SELECT seq_tup_read AS "rows" FROM pg_stat_user_tables WHERE relname = 'conversations'`,
  )
  return row?.rows ?? Number.NaN
}

test('a poll of 50 versions among 50,000 conversations uses the index, also with a plan made for a small table', async () => {
  // The pool has one session, whose plans are made while the table is small.
  await using database = await freshPostgres({ connectionsMax: 1 })
  await database.migrate()
  await insert(database, 64)
  await run(database, 'ANALYZE conversations')
  using hub = new Hub({
    reads: createLiveReads(database),
    versions: createVersions(database),
    databaseShared: false,
    kv: undefined,
    pollMs: 60_000,
    silentPollMs: 60_000,
    page: { limit: 200, bytesMax: 131_072 },
    share: new LoopShare(4, () => {}),
    events: { headWentBack() {}, workFailed() {} },
  })
  const check = (ids: readonly string[]) =>
    Promise.all(ids.map((id) => hub.hold(local, id).check()))
  const ask = (ids: readonly string[]) =>
    run(database, unguarded, [ids.map(() => local.tenant), ids])
  const early = await insert(database, 50)
  for (let pass = 0; pass < 10; pass += 1) {
    await check(early)
    await ask(early)
  }
  const late = (await insert(database, manyConversations)).slice(-50)
  const costOf = async (look: () => Promise<unknown>) => {
    const before = await scannedRows(database)
    const began = performance.now()
    await look()
    const ms = performance.now() - began
    return { ms, rows: (await scannedRows(database)) - before }
  }

  const polled = await costOf(() => check(late))
  const scanned = await costOf(() => ask(late))
  expect(polled.rows).toBe(0)
  // Without the function each of the 50 look-ups is a scan, which the count must show.
  expect(scanned.rows).toBeGreaterThan(manyConversations)
  expect(polled.ms).toBeLessThan(scanned.ms)
  expect(await check(late)).toMatchObject(late.map(() => ({ version: 7, isErased: false })))
}, 120_000)
