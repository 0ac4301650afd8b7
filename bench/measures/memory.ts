/** Resident memory of a service that gets no requests. */
import { type Node, startNode } from '../../test/support/servers/node.ts'
import { testDatabaseUrl } from '../../test/support/servers/postgres.ts'
import { startBareHttp, startBarePglite } from '../baselines/bare-processes.ts'
import { embeddedData, requireOk, stopNode } from '../load/embedded-data.ts'
import { residentBytes } from '../load/process-memory.ts'
import { conversationId, runs, turn } from '../load/scene.ts'
import type { Sample } from '../report/comparison.ts'
import type { Ledger } from '../report/ledger.ts'

/** Milliseconds without requests before a look, so that memory of the start has been returned. */
const quietMs = 5000

export async function benchMemory(ledger: Ledger): Promise<void> {
  const DATABASE_URL = await testDatabaseUrl()
  // The first start makes the tables.
  await stopNode(await startNode({ DATABASE_URL }))
  const ready: Sample[] = []
  const used: Sample[] = []
  const bare: Sample[] = []
  for (let run = 0; run < runs; run += 1) {
    bare.push(await bareServer())
    await using node = await startNode({ DATABASE_URL })
    await requireOk(node, '/readyz')
    ready.push(await idleMemory(node.pid))
    await firstRequests(node, run + 1)
    used.push(await idleMemory(node.pid))
    await stopNode(node)
  }
  ledger.put('memory-ready', ready, bare)
  ledger.put('memory-used', used, bare)

  using data = await embeddedData()
  const directory = data.copy()
  const bareDirectory = data.copy()
  await ledger.compare('memory-embedded', {
    async ours() {
      await using node = await startNode({ TURNLOG_DATA: directory })
      await requireOk(node, '/readyz')
      const sample = await idleMemory(node.pid)
      await stopNode(node)
      return sample
    },
    async baseline() {
      await using pglite = await startBarePglite(bareDirectory)
      const sample = await idleMemory(pglite.pid)
      await pglite.end()
      return sample
    },
  })
}

async function bareServer(): Promise<Sample> {
  await using bare = await startBareHttp(1)
  await (await fetch(bare.url)).arrayBuffer()
  return await idleMemory(bare.pid)
}

async function firstRequests(node: Node, n: number): Promise<void> {
  const id = conversationId(n)
  await requireOk(node, '/v1/conversations', { id })
  await requireOk(node, `/v1/conversations/${id}/turns`, turn)
  await requireOk(node, `/v1/conversations/${id}/history?last=50`)
}

async function idleMemory(pid: number): Promise<Sample> {
  await Bun.sleep(quietMs)
  return { value: residentBytes(pid) / 1e6 }
}
