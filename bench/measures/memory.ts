/** What a service holds of the machine's memory while nobody asks it anything. */
import { type Node, startNode } from '../../test/support/servers/node.ts'
import { testDatabaseUrl } from '../../test/support/servers/postgres.ts'
import { startBareHttp, startBarePglite } from '../baselines/bare-processes.ts'
import { asked, embeddedData, stopped } from '../load/embedded-data.ts'
import { residentBytes } from '../load/process-memory.ts'
import { conversationId, runs, turn } from '../load/scene.ts'
import type { Sample } from '../report/comparison.ts'
import type { Ledger } from '../report/ledger.ts'

/** Quiet before a look, so that what a start left behind has been given back. */
const quietMs = 5000

export async function benchMemory(ledger: Ledger): Promise<void> {
  const DATABASE_URL = await testDatabaseUrl()
  // The first start makes the tables.
  await stopped(await startNode({ DATABASE_URL }))
  const ready: Sample[] = []
  const used: Sample[] = []
  const bare: Sample[] = []
  for (let run = 0; run < runs; run += 1) {
    bare.push(await bareServer())
    await using node = await startNode({ DATABASE_URL })
    await asked(node, '/readyz')
    ready.push(await settled(node.pid))
    await firstRequests(node, run + 1)
    used.push(await settled(node.pid))
    await stopped(node)
  }
  ledger.put('memory-ready', ready, bare)
  ledger.put('memory-used', used, bare)

  using data = await embeddedData()
  const directory = data.copy()
  const bareDirectory = data.copy()
  await ledger.compare('memory-embedded', {
    async ours() {
      await using node = await startNode({ TURNLOG_DATA: directory })
      await asked(node, '/readyz')
      const sample = await settled(node.pid)
      await stopped(node)
      return sample
    },
    async baseline() {
      await using pglite = await startBarePglite(bareDirectory)
      const sample = await settled(pglite.pid)
      await pglite.end()
      return sample
    },
  })
}

async function bareServer(): Promise<Sample> {
  await using bare = await startBareHttp(1)
  await (await fetch(bare.url)).arrayBuffer()
  return await settled(bare.pid)
}

async function firstRequests(node: Node, n: number): Promise<void> {
  const id = conversationId(n)
  await asked(node, '/v1/conversations', { id })
  await asked(node, `/v1/conversations/${id}/turns`, turn)
  await asked(node, `/v1/conversations/${id}/history?last=50`)
}

async function settled(pid: number): Promise<Sample> {
  await Bun.sleep(quietMs)
  return { value: residentBytes(pid) / 1e6 }
}
