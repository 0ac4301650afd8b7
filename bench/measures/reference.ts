/**
 * Turns recorded over HTTP, against the algorithm that this service replaces. For each turn, that
 * one reads the whole history back and writes it to Redis. Its program is not part of this project;
 * BENCH_REFERENCE is its path.
 */
import { existsSync } from 'node:fs'
import { startNode } from '../../test/support/servers/node.ts'
import { testDatabaseUrl } from '../../test/support/servers/postgres.ts'
import { startRedis } from '../../test/support/servers/redis.ts'
import { metered, runProgram } from '../load/cpu.ts'
import { loadClient } from '../load/load-client.ts'
import { watchedPostgres } from '../load/postgres-server.ts'
import { conversationId, seconds } from '../load/scene.ts'
import { seed } from '../load/seed.ts'
import type { Ledger } from '../report/ledger.ts'

// The same number of conversations, messages and writers, and texts of the same length, as in the
// program.
const conversations = 64
const messages = 1000
const writers = 32
const questionText = 'hello how are you '.repeat(8)
const answers = Array.from({ length: 2 }, () => 'hello i am fine  '.repeat(10))

export async function benchReference(ledger: Ledger): Promise<void> {
  const program = process.env['BENCH_REFERENCE'] ?? ''
  const reason = await whyNot(program)
  if (reason !== undefined) {
    ledger.skip(['reference-1000'], reason)
    return
  }
  const url = await testDatabaseUrl()
  await using redis = await startRedis()
  await using node = await startNode({ DATABASE_URL: url, REDIS_URL: `${redis.url}/0` })
  await seed(url, { conversations, messages, questionText, answers })
  using client = loadClient(
    node.url,
    Array.from({ length: conversations }, (_, n) => ({
      path: `/v1/conversations/${conversationId(n + 1)}/turns`,
      body: { user: { text: questionText }, assistant: { responses: answers } },
    })),
  )
  const theirs = await testDatabaseUrl()
  const load = [`${writers}`, `${messages}`, `${seconds}`]
  ledger.command(client.words(writers, seconds))
  ledger.command(['python3 baseline.py PG_URL REDIS_URL', ...load])

  const watched = { server: node.pid, ...(await watchedPostgres(url)) }
  await ledger.compare('reference-1000', {
    ours: () => metered(watched, () => client.run(writers, seconds)),
    async baseline() {
      const urls = [theirs.replace('postgres:', 'postgresql+asyncpg:'), `${redis.url}/1`]
      const { output } = await runProgram([python, program, ...urls, ...load])
      const value = Number(/: (\d+) turns\/s/.exec(output)?.[1])
      if (!(value > 0)) throw new Error(`The reference:\n${output}`)
      return { value }
    },
    warm: true,
  })
}

/**
 * Debian's own Python, which sees Debian's packages. Another one that is first on the PATH may not.
 */
const python =
  process.env['BENCH_PYTHON'] ?? (existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3')

/** The reason why the reference cannot run, if there is one. */
async function whyNot(program: string): Promise<string | undefined> {
  if (program === '') return 'BENCH_REFERENCE does not name its program, baseline.py'
  if (!existsSync(program)) return `there is no ${program}`
  try {
    await runProgram([python, '-c', 'import asyncpg, sqlalchemy, redis'])
    return undefined
  } catch {
    const packages = 'python3-asyncpg python3-sqlalchemy python3-redis'
    return `${python} lacks packages that baseline.py imports (Debian: apt-get install ${packages})`
  }
}
