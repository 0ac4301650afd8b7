import { describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createConversations, type Node, startNode } from '../support/servers/node.ts'
import { testDatabaseUrl } from '../support/servers/postgres.ts'
import { checkConversation } from '../support/writing/checker.ts'
import { recordTurn } from '../support/writing/client.ts'
import { createWriter, seeded } from '../support/writing/writer.ts'

/**
 * Number of kills per kind of database. `CRASHES=200` is the long run; one kill and start takes
 * about 6 s on a slow disk.
 */
const crashes = Number(process.env['CRASHES'] ?? 4)

/**
 * Kills the service at random moments under load and starts it again. Patient writers repeat a turn
 * under the same idempotency key until it is answered. The others give up, so the outcome of such a
 * turn is unknown to them; every answer that a writer did get must be true.
 */
async function crash(env: Record<string, string>): Promise<void> {
  const random = seeded(7)
  let node: Node = await startNode(env)
  const conversations = await createConversations(node.url, 3)
  let stopped = false
  const writers = Array.from({ length: 12 }, (_, n) =>
    createWriter({
      name: `writer-${n}`,
      bases: () => [node.url],
      conversations,
      random: seeded(100 + n),
      patient: n % 2 === 0,
      stopped: () => stopped,
    }),
  )
  const running = Promise.all(writers.map((writer) => writer.run(Number.MAX_SAFE_INTEGER)))
  for (let n = 0; n < crashes; n += 1) {
    const turns = writers.map((writer) =>
      [...writer.logs.values()].reduce((sum, one) => sum + one.turns.size, 0),
    )
    const before = turns.reduce((sum, count) => sum + count, 0)
    // Between two kills at least five turns are acknowledged, so each kill happens under load.
    const goal = before + 5 + random() * 60
    for (;;) {
      const now = writers
        .flatMap((writer) => [...writer.logs.values()])
        .reduce((sum, one) => sum + one.turns.size, 0)
      if (now >= goal) break
      await Bun.sleep(2)
    }
    node.kill('SIGKILL')
    await node.exited
    node = await startNode(env)
  }
  stopped = true
  await running
  for (const id of conversations) {
    const logs = writers.flatMap((writer) => writer.logs.get(id) ?? [])
    await checkConversation(node.url, id, logs, { exact: false })
  }
  await node[Symbol.asyncDispose]()
}

describe(`the service killed ${crashes} times under load`, () => {
  test('a service killed under load keeps every acknowledged turn and no half of a turn, on Postgres', async () => {
    await crash({ DATABASE_URL: await testDatabaseUrl() })
  }, 1_800_000)

  test('a service killed under load keeps every acknowledged turn and no half of a turn, on PGlite', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'turnlog-test-'))
    await crash({ TURNLOG_DATA: directory })
    rmSync(directory, { recursive: true, force: true })
  }, 1_800_000)
})

describe('a frozen node', () => {
  test('a frozen node holds no lock, so another node can write the same conversations', async () => {
    const env = { DATABASE_URL: await testDatabaseUrl() }
    await using one = await startNode(env)
    await using two = await startNode(env)
    const conversations = await createConversations(one.url, 4)
    let stopped = false
    const writer = (n: number, base: string) =>
      createWriter({
        name: `writer-${n}`,
        bases: () => [base],
        conversations,
        random: seeded(n),
        patient: false,
        stopped: () => stopped,
      })
    const frozen = Array.from({ length: 16 }, (_, n) => writer(n, one.url))
    const running = frozen.map((each) => each.run(Number.MAX_SAFE_INTEGER))
    const acknowledged = () =>
      frozen
        .flatMap((each) => [...each.logs.values()])
        .reduce((sum, log) => sum + log.turns.size, 0)
    for (let pass = 0; pass < 5; pass += 1) {
      const goal = acknowledged() + 20
      while (acknowledged() < goal) await Bun.sleep(2)
      one.kill('SIGSTOP')
      for (const id of conversations) {
        for (let n = 0; n < 5; n += 1) {
          const turn = { user: { text: `${pass}/${n}` }, assistant: { responses: ['a'] } }
          const answer = await recordTurn(two.url, id, turn, `frozen-${pass}/${n}`)
          expect(answer).toMatchObject({ kind: 'answer', status: 201 })
        }
      }
      one.kill('SIGCONT')
    }
    stopped = true
    await Promise.all(running)
  }, 60_000)
})
