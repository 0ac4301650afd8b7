/**
 * Turns recorded over HTTP, against pgbench running hand-written SQL of a turn on the same tables.
 */
import { startNode } from '../../test/support/servers/node.ts'
import { testDatabaseUrl } from '../../test/support/servers/postgres.ts'
import { startBareHttp } from '../baselines/bare-processes.ts'
import { pgbench } from '../baselines/pgbench.ts'
import { metered } from '../load/cpu.ts'
import { type LoadClient, loadClient } from '../load/load-client.ts'
import { analyse, watchedPostgres } from '../load/postgres-server.ts'
import { conversationId, programsNeeded, seconds, turn } from '../load/scene.ts'
import { seed } from '../load/seed.ts'
import type { Ledger } from '../report/ledger.ts'
import type { RowId } from '../report/rows.ts'

const conversations = 1000

export async function benchRecord(ledger: Ledger): Promise<void> {
  programsNeeded('pgbench')
  const url = await testDatabaseUrl()
  await using node = await startNode({ DATABASE_URL: url })
  await seed(url, { conversations })
  const postgres = await watchedPostgres(url)
  using client = turnClient(node.url)
  using five = pgbench(url, 'five', conversations)
  using one = pgbench(url, 'one', conversations)
  ledger.command(client.words(32, seconds))
  ledger.command(five.words(32, seconds))
  ledger.command(one.words(1, seconds))

  const server = { server: node.pid, ...postgres }
  const row = async (id: RowId, by: typeof five, connections: number) => {
    await analyse(url)
    await ledger.compare(id, {
      ours: () => metered(server, () => client.run(connections, seconds)),
      baseline: () => metered(postgres, () => by.run(connections, seconds)),
      warm: true,
    })
  }
  await row('record-32', five, 32)
  await row('record-128', five, 128)
  await analyse(url)
  await ledger.compare('record-latency', {
    ours: () => metered(server, () => byMedianWait(client.run(1, seconds))),
    baseline: () => metered(postgres, () => byMedianWait(one.run(1, seconds))),
    warm: true,
  })
  await row('record-1', five, 1)
  await row('record-8', five, 8)
  await row('record-one-32', one, 32)
  await using bare = await startBareHttp(0)
  using bareClient = loadClient(bare.url, [{ path: '/', body: turn }])
  await ledger.compare('record-bare-32', {
    ours: () => metered(server, () => client.run(32, seconds)),
    baseline: () => metered({ server: bare.pid }, () => bareClient.run(32, seconds)),
    warm: true,
  })
}

/**
 * Sends turns to all conversations, in steps of 379, so that consecutive turns go to different
 * ones.
 */
const turnClient = (url: string): LoadClient =>
  loadClient(
    url,
    Array.from({ length: conversations }, (_, n) => ({
      path: `/v1/conversations/${conversationId(((n * 379) % conversations) + 1)}/turns`,
      body: turn,
    })),
  )

async function byMedianWait<Loaded extends { readonly medianMs: number }>(
  running: Promise<Loaded>,
) {
  const load = await running
  return { ...load, value: load.medianMs }
}
