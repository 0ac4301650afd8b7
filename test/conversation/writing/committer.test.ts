/** The number of concurrent calls of the group commit, with turns that Postgres refuses. */
import { expect, test } from 'bun:test'
import { newId } from '../../../src/conversation/wire/ids.ts'
import { localPrincipal } from '../../../src/conversation/wire/principal.ts'
import { Committer } from '../../../src/conversation/writing/committer.ts'
import { Effects } from '../../../src/conversation/writing/effects.ts'
import { prepareTurn } from '../../../src/conversation/writing/turn.ts'
import { createEvents } from '../../../src/events.ts'
import type { Database } from '../../../src/ports/database.ts'
import { freshPostgres } from '../../support/servers/databases.ts'

const [callers, turnsEach] = [160, 6]

test('refused turns do not raise the number of batches in flight, and every turn is settled', async () => {
  await using database = await freshPostgres()
  await database.migrate()
  let [inFlight, max] = [0, 0]
  const counted: Database = {
    ...database,
    shared: database.shared,
    async query(statement) {
      inFlight += 1
      max = Math.max(max, inFlight)
      try {
        return await database.query(statement)
      } finally {
        inFlight -= 1
      }
    },
  }
  const events = createEvents(() => {})
  const committer = new Committer({
    database: counted,
    effects: new Effects(events),
    events,
    bounds: {
      lanes: 2,
      batchTurnsMax: 128,
      batchBytesMax: 1_000_000,
      waitingTurnsMax: 4096,
      waitingBytesMax: 100_000_000,
    },
    lockTimeoutMs: 1000,
    waitMs: 30_000,
  })
  let [recorded, refused] = [0, 0]
  const call = async (n: number) => {
    const id = newId()
    await database.query({
      text: `INSERT INTO conversations (id, tenant, version, self_version, last_seq, created_at)
        VALUES ($1::uuid, 'default', 1, 1, 0, now())`,
      params: [id],
    })
    for (let turn = 0; turn < turnsEach; turn += 1) {
      // An id that is not a UUID fails the whole call, and each half that contains it.
      const c = (n + turn) % 20 === 0 ? `no id ${n}` : id
      const body = { assistant: { responses: ['Hello'] } }
      await committer.submit(prepareTurn(localPrincipal, c, body, undefined)).then(
        () => {
          recorded += 1
        },
        () => {
          refused += 1
        },
      )
    }
  }
  await Promise.all(Array.from({ length: callers }, (_, n) => call(n)))
  await committer.drained()
  expect(refused).toBe((callers * turnsEach) / 20)
  expect(recorded + refused).toBe(callers * turnsEach)
  expect(max).toBeLessThanOrEqual(2)
}, 60_000)
