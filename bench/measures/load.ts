/**
 * The newest 50 messages over HTTP, against Redis answering a list of the same 50: the cost of a
 * cache that has nothing behind it. Both loads are made by programs in C.
 */
import { startNode } from '../../test/support/servers/node.ts'
import { testDatabaseUrl } from '../../test/support/servers/postgres.ts'
import { startRedis, type TestRedis } from '../../test/support/servers/redis.ts'
import { startBareHttp } from '../baselines/bare-processes.ts'
import { type LoadFigures, metered, runProgram } from '../load/cpu.ts'
import { loadClient } from '../load/load-client.ts'
import { watchedPostgres } from '../load/postgres-server.ts'
import { newestOf, programsNeeded, seconds } from '../load/scene.ts'
import { seed } from '../load/seed.ts'
import type { Ledger } from '../report/ledger.ts'

const conversations = 64

export async function benchLoad(ledger: Ledger): Promise<void> {
  programsNeeded('redis-benchmark')
  const url = await testDatabaseUrl()
  await using redis = await startRedis()
  await using node = await startNode({ DATABASE_URL: url, REDIS_URL: `${redis.url}/0` })
  await seed(url, { conversations, messages: 60 })
  const paths = newestOf(conversations, 50)
  await listOfFifty(redis, `${node.url}${paths[0]}`)
  const servers = { ...(await watchedPostgres(url)), ...watchedRedis(redis) }
  for (const connections of [32, 128] as const)
    for (const consistency of ['strong', 'eventual'] as const) {
      using client = loadClient(
        node.url,
        paths.map((path) => ({ path: `${path}&consistency=${consistency}` })),
      )
      ledger.command(client.words(connections, seconds))
      ledger.command(lrangeWords(connections))
      await ledger.compare(`load-${consistency}-${connections}`, {
        ours: () =>
          metered({ server: node.pid, ...servers }, () => client.run(connections, seconds)),
        baseline: () => metered(watchedRedis(redis), () => lrange(redis.port, connections)),
        warm: true,
      })
    }
  using client = loadClient(
    node.url,
    paths.map((path) => ({ path: `${path}&consistency=strong` })),
  )
  const { byteLength } = await (await fetch(`${node.url}${paths[0]}`)).arrayBuffer()
  await using bare = await startBareHttp(byteLength)
  using bareClient = loadClient(bare.url, [{ path: '/' }])
  await ledger.compare('load-bare-32', {
    ours: () => metered({ server: node.pid, ...servers }, () => client.run(32, seconds)),
    baseline: () => metered({ server: bare.pid }, () => bareClient.run(32, seconds)),
    warm: true,
  })
}

export const watchedRedis = (redis: TestRedis) => ({
  redis: Number(/process_id:(\d+)/.exec(redis.ask('INFO', 'server'))?.[1]),
})

/** Stores the same 50 messages, printed as the service prints them, as a list in Redis. */
async function listOfFifty(redis: TestRedis, url: string): Promise<void> {
  const { messages } = (await (await fetch(url)).json()) as { messages: unknown[] }
  if (messages.length !== 50) throw new Error(`${messages.length} messages, not 50`)
  redis.ask('RPUSH', 'fifty', ...messages.map((message) => JSON.stringify(message)))
}

function lrangeWords(clients: number): string[] {
  // redis-benchmark has no option for a time, only for a number of requests.
  const load = ['-c', `${clients}`, '-n', `${seconds * 20_000}`, '--csv']
  return ['redis-benchmark', ...load, 'LRANGE', 'fifty', '0', '49']
}

async function lrange(port: number, clients: number): Promise<LoadFigures> {
  const [program = '', ...words] = lrangeWords(clients)
  const { output, seconds: clientSeconds } = await runProgram([program, '-p', `${port}`, ...words])
  const value = Number(/"LRANGE[^"]*","([\d.]+)"/.exec(output)?.[1])
  if (!(value > 0)) throw new Error(`redis-benchmark:\n${output}`)
  return { value, operations: seconds * 20_000, clientSeconds }
}
