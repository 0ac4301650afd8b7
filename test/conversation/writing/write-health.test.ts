/** The results of the write probe: success, failure, or neither. */
import { expect, test } from 'bun:test'
import type { DatabaseCode } from '../../../src/conversation/sql/database-problems.ts'
import { WriteHealth } from '../../../src/conversation/writing/write-health.ts'
import { DatabaseError } from '../../../src/ports/database.ts'
import { freshPostgres } from '../../support/servers/databases.ts'
import { until } from '../../support/servers/processes.ts'

test('a probe of writes that fails because of its statement or a lock wait counts neither as success nor as failure', async () => {
  await using database = await freshPostgres()
  await database.migrate()
  const run = (text: string) => database.query({ text, params: [] })
  const failWith = async (sqlState: string) => {
    await run(`create or replace function fail() returns trigger language plpgsql as
      $$ begin raise exception 'failed' using errcode = '${sqlState}'; end $$`)
    await run(`create or replace trigger fail before insert on conversation_messages
      for each row execute function fail()`)
  }
  const lost: DatabaseCode[] = []
  let unjudged = 0
  let back = 0
  using health = new WriteHealth({
    database,
    everyMs: 10,
    events: {
      writesLost: (code) => lost.push(code as DatabaseCode),
      writesBack: () => {
        back += 1
      },
      workFailed: (work) => {
        if (work === 'write-probe') unjudged += 1
      },
    },
  })
  const fail = () => health.failed(new DatabaseError('refused', 'full', { sqlState: '53100' }), 3)

  await failWith('23514')
  fail()
  await until('the first probe has failed', () => unjudged === 1)
  expect((await health.state()).writes).toBeUndefined()

  await failWith('53100')
  fail()
  await until('writes are lost', () => lost.length === 1)
  for (const sqlState of ['23514', '55P03', '54000']) {
    await failWith(sqlState)
    const before = unjudged
    await until('four more probes have failed', () => unjudged >= before + 4)
    expect([back, await health.state()]).toEqual([0, { reads: undefined, writes: 'database-full' }])
  }
  await run('drop trigger fail on conversation_messages')
  await until('writes are back', () => back === 1)
}, 60_000)
