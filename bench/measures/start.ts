/**
 * Seconds from the start of a process until it answers that it is ready, against the least that
 * such a process needs.
 */
import { type Node, startNode } from '../../test/support/servers/node.ts'
import { testDatabaseUrl } from '../../test/support/servers/postgres.ts'
import { startBareHttp, startBarePglite } from '../baselines/bare-processes.ts'
import { embeddedData, requireOk, stopNode } from '../load/embedded-data.ts'
import type { Ledger } from '../report/ledger.ts'

export async function benchStart(ledger: Ledger): Promise<void> {
  using data = await embeddedData()
  const directory = data.copy()
  const bareDirectory = data.copy()
  await ledger.compare('start-embedded', {
    ours: () => timeStart({ TURNLOG_DATA: directory }),
    async baseline() {
      const began = performance.now()
      await using bare = await startBarePglite(bareDirectory)
      const sample = since(began)
      await bare.end()
      return sample
    },
    warm: true,
  })
  const DATABASE_URL = await testDatabaseUrl()
  // The first start makes the tables. It is a warm-up and does not count.
  await ledger.compare('start-server', {
    ours: () => timeStart({ DATABASE_URL }),
    async baseline() {
      const began = performance.now()
      await using bare = await startBareHttp(1)
      await (await fetch(bare.url)).arrayBuffer()
      return since(began)
    },
    warm: true,
  })
}

async function timeStart(env: Record<string, string>) {
  const began = performance.now()
  const node: Node = await startNode(env)
  await requireOk(node, '/readyz')
  const sample = since(began)
  await stopNode(node)
  return sample
}

const since = (began: number) => ({ value: (performance.now() - began) / 1000 })
