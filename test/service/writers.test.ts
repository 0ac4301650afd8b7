import { describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createConversations, type Node, startNode } from '../support/servers/node.ts'
import { testDatabaseUrl } from '../support/servers/postgres.ts'
import { checkConversation } from '../support/writing/checker.ts'
import { createWriter, seeded } from '../support/writing/writer.ts'

/** Lets 64 writers record in 4 conversations. Their answers must match the stored conversations. */
async function campaign(nodes: readonly Node[], steps: number): Promise<void> {
  const [first] = nodes
  if (first === undefined) throw new Error('a campaign needs a node')
  const conversations = await createConversations(first.url, 4)
  const writers = Array.from({ length: 64 }, (_, n) =>
    createWriter({
      name: `writer-${n}`,
      bases: () => nodes.map(({ url }) => url),
      conversations,
      random: seeded(n + 1),
      patient: false,
    }),
  )
  await Promise.all(writers.map((writer) => writer.run(steps)))
  for (const id of conversations) {
    const logs = writers.flatMap((writer) => writer.logs.get(id) ?? [])
    expect(logs.reduce((sum, one) => sum + one.unknown.size, 0)).toBe(0)
    await checkConversation(first.url, id, logs, { exact: true })
  }
}

describe('64 writers over 4 conversations', () => {
  test('64 concurrent writers keep order, versions and turns complete, on two nodes of one Postgres', async () => {
    const env = { DATABASE_URL: await testDatabaseUrl() }
    await using one = await startNode(env)
    await using two = await startNode(env)
    await campaign([one, two], 12)
  }, 120_000)

  test('64 concurrent writers keep order, versions and turns complete, on PGlite', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'turnlog-test-'))
    {
      await using node = await startNode({ TURNLOG_DATA: directory })
      await campaign([node], 8)
    }
    rmSync(directory, { recursive: true, force: true })
  }, 120_000)
})
