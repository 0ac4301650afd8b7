/**
 * A service with more load than it can serve, and a healthy Redis and Postgres. It must not
 * report either of them as lost. `FAULTS=long` keeps the load up for a minute.
 */
import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { newestOf } from '../../../bench/load/scene.ts'
import { seed } from '../../../bench/load/seed.ts'
import { startNode } from '../../support/servers/node.ts'
import { testDatabaseUrl } from '../../support/servers/postgres.ts'
import { redisMissing, startRedis } from '../../support/servers/redis.ts'

const seconds = process.env['FAULTS'] === 'long' ? 60 : 10
const conversations = 1000

describe.skipIf(redisMissing() !== undefined)('a saturated service', () => {
  for (const connections of [32, 128])
    test(`a service saturated by ${connections} connections reports neither Redis nor Postgres as lost`, async () => {
      const databaseUrl = await testDatabaseUrl()
      await using redis = await startRedis()
      await using node = await startNode({ DATABASE_URL: databaseUrl, REDIS_URL: redis.url })
      await seed(databaseUrl, { conversations, messages: 60 })
      const paths = newestOf(conversations, 50).map(
        (path, n) => `${path}&consistency=${n % 2 === 0 ? 'strong' : 'eventual'}`,
      )
      const { port } = new URL(node.url)
      const program = join(import.meta.dir, '../../support/cache/read-load.ts')
      await using load = Bun.spawn(
        [process.execPath, program, port, String(connections), String(seconds)],
        { stdin: new TextEncoder().encode(JSON.stringify(paths)), stdout: 'pipe' },
      )
      const { answered, failures } = JSON.parse(await new Response(load.stdout).text())
      expect(failures).toBe(0)
      expect(answered).toBeGreaterThan(connections)
      const lines = node.log().split('\n')
      const verdicts = lines.filter((line) =>
        /"event":"(cache-skipped|cache-lost|database-lost)"|answered neither/.test(line),
      )
      expect(verdicts).toEqual([])
    }, 150_000)
})
