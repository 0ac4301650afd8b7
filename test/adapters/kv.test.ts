/**
 * Tests of every adapter of the key-value port: the conformance suite, and promises of single
 * adapters.
 */
import { describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { openMemory } from '../../adapters/kv/memory.ts'
import type { OpenedKv } from '../../adapters/kv/opened.ts'
import { openRedis } from '../../adapters/kv/redis/redis.ts'
import { openRedisCluster } from '../../adapters/kv/redis/redis-cluster.ts'
import { openKv } from '../../adapters/open.ts'
import type { Kv } from '../../src/ports/kv.ts'
import { bunRunner } from '../conformance/bun-runner.ts'
import { refusal } from '../conformance/database/database.ts'
import { kvCluster } from '../conformance/kv/cluster.ts'
import { denoConformance } from '../conformance/kv/deno-cases.ts'
import { type KvConformance, kvConformance } from '../conformance/kv/kv.ts'
import { kvMemory, kvShape } from '../conformance/kv/memory.ts'
import { kvOutages } from '../conformance/kv/outages.ts'
import { kvRedisAccess } from '../conformance/kv/redis-access.ts'
import { kvRedisCosts } from '../conformance/kv/redis-costs.ts'
import { kvRedisRoles } from '../conformance/kv/redis-roles.ts'
import { until } from '../support/servers/processes.ts'
import {
  clusterIsWhole,
  redisMissing,
  startRedis,
  startRedisCluster,
  type TestRedis,
} from '../support/servers/redis.ts'

const root = join(import.meta.dir, '../..')

kvConformance(
  'Memory',
  {
    async create() {
      const bytesMax = 10_000_000
      const kv = openMemory({ bytesMax })
      return {
        // A KV in memory belongs to its opener: opening another one does not share it.
        open: async () => openMemory({ bytesMax }),
        async evict(of, key) {
          // The loop does not read the key, because reading it would keep it.
          for (let n = 0; n < 200; n++) {
            await of.set(['conformance', `filler-${n}`], new Uint8Array(65_000))
          }
          if ((await of.get(key)).value !== null) throw new Error('It is still there')
        },
        async restart(before) {
          before.close()
          return openMemory({ bytesMax })
        },
        async [Symbol.asyncDispose]() {
          kv.close()
        },
      }
    },
    skip: [
      {
        reason: 'each opened KV in memory is separate',
        tests: ["two connections to a store see each other's changes"],
      },
      {
        reason: 'no other process can empty it',
        tests: ['no versionstamp is used again after a loss of all data'],
      },
    ],
  },
  bunRunner,
)

kvMemory(openMemory)
kvShape()

/**
 * Registers tests that need Redis. Without a Redis they are skipped with the reason; in CI they
 * fail.
 */
function withRedis(name: string, body: () => void): void {
  const reason = redisMissing()
  if (reason === undefined) body()
  else if (process.env['CI'] === 'true') {
    test(`${name} has a Redis to test on`, () => {
      throw new Error(reason)
    })
  } else bunRunner.skip(`${name} (${reason})`, async () => {})
}

/** Waits until the KV is ready. */
export async function readied(opened: OpenedKv): Promise<Kv> {
  await until(`${opened.name} is ready`, () => opened.ready())
  return opened.kv
}

const onePartition = {
  reason: 'a call on Redis stays within one partition',
  tests: [
    'one KV list returns entries of several partitions',
    'a KV commit may change several partitions',
  ],
}

function redisSubject(start: () => Promise<TestRedis>): KvConformance['create'] {
  return async () => {
    const server = await start()
    return {
      open: () => readied(openRedis({ url: server.url, deadlineMs: 5000 })),
      async wipe() {
        server.ask('FLUSHALL')
      },
      async evict(kv, key) {
        // Keys are evicted at random: with an LRU policy, looking for the key would keep it.
        server.ask('CONFIG', 'SET', 'maxmemory', '4mb', 'maxmemory-policy', 'allkeys-random')
        for (let n = 0; n < 5000 && ((await kv.get(key)).value !== null || n < 80); n++) {
          await kv.set(['conformance', `filler-${n}`], new Uint8Array(65_000))
        }
        if ((await kv.get(key)).value !== null) throw new Error('It is still there')
        server.ask('CONFIG', 'SET', 'maxmemory', '0')
      },
      async restart(kv) {
        const dump = server.dump()
        kv.close()
        await server.restart({ dump })
        return await readied(openRedis({ url: server.url, deadlineMs: 5000 }))
      },
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    }
  }
}

withRedis('Redis', () => {
  kvConformance('Redis', { create: redisSubject(startRedis), skip: [onePartition] }, bunRunner)
  kvConformance(
    'Redis Cluster',
    {
      async create() {
        const cluster = await startRedisCluster()
        const open = () => readied(openRedisCluster({ url: cluster.url, deadlineMs: 5000 }))
        return {
          open,
          async wipe() {
            for (const node of cluster.nodes) node.ask('FLUSHALL')
          },
          async restart(kv) {
            kv.close()
            for (const node of cluster.nodes) await node.restart({ dump: node.dump() })
            await clusterIsWhole(cluster)
            return await open()
          },
          [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
        }
      },
      skip: [
        onePartition,
        {
          reason: 'each server of a Cluster evicts like a single server, which is tested',
          tests: [
            'no versionstamp is used again after an eviction',
            'the entries of a partition are evicted together',
          ],
        },
      ],
    },
    bunRunner,
  )
  kvOutages('Redis', openRedis)
  kvRedisAccess(openRedis)
  kvRedisCosts(openRedis)
  kvRedisRoles(openRedis)
  kvCluster(openRedisCluster)
})

describe("Deno.openKv keeps the key-value port's promises:", () => {
  /**
   * The outcomes of the suite, which runs once, under Deno. Here each claim reports its outcome.
   */
  let ran: Promise<Map<string, string | undefined>> | undefined
  const outcomes = () => {
    ran ??= runUnderDeno()
    return ran
  }
  kvConformance(
    'Deno',
    { create: () => Promise.reject(new Error('It runs under Deno')), ...denoConformance },
    {
      ...bunRunner,
      describe: (_, body) => body(),
      beforeAll: () => {},
      afterAll: () => {},
      test: (name) =>
        test(name, async () => {
          const outcome = await outcomes()
          expect([...outcome.keys()]).toContain(name)
          expect(outcome.get(name)).toBeUndefined()
        }, 120_000),
    },
  )

  test("Deno's own types satisfy the port", async () => {
    const directory = mkdtempSync(join(tmpdir(), 'turnlog-test-'))
    const port = pathToFileURL(join(root, 'src/ports/kv.ts')).href
    const proof = `
      import type { Kv } from '${port}'
      export const proof = async (): Promise<Kv> => await Deno.openKv(':memory:')\n`
    writeFileSync(join(directory, 'proof.ts'), proof)
    const { code, errors } = await deno(['check', '--unstable-kv', join(directory, 'proof.ts')])
    rmSync(directory, { recursive: true })
    expect({ code, errors: code === 0 ? '' : errors }).toEqual({ code: 0, errors: '' })
  }, 60_000)
})

async function runUnderDeno(): Promise<Map<string, string | undefined>> {
  const suite = join(root, 'test/conformance/kv/deno.ts')
  const { code, output, errors } = await deno([
    'run',
    '--allow-all',
    '--unstable-kv',
    '--node-modules-dir=manual',
    '--no-lock',
    suite,
  ])
  if (code !== 0) throw new Error(errors)
  const lines: { name: string; failed?: string }[] = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  return new Map(lines.map(({ name, failed }) => [name, failed]))
}

/** Runs the Deno on PATH, or npm's. */
async function deno(args: string[]) {
  const command = Bun.which('deno') === null ? ['npx', '-y', 'deno@2.9.6'] : ['deno']
  const child = Bun.spawn([...command, ...args], { cwd: root, stdout: 'pipe', stderr: 'pipe' })
  const [output, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  return { code: await child.exited, output, errors }
}

describe('openKv', () => {
  test('openKv selects the adapter by the scheme, and reports whether other processes share the KV', async () => {
    const expected: [string | undefined, string, boolean][] = [
      [undefined, 'memory', false],
      ['memory:', 'memory', false],
      ['redis://me:hush@127.0.0.1:1/2', 'Redis at 127.0.0.1:1/2', true],
      ['redis-cluster://me:hush@127.0.0.1:1,h:2', 'Redis Cluster at 127.0.0.1:1, h:2', true],
    ]
    for (const [url, name, shared] of expected) {
      const opened = await openKv(url)
      expect([opened.name, opened.shared]).toEqual([name, shared])
      opened.kv.close()
    }
    const cluster = await openKv('redis://127.0.0.1:1', { cluster: true })
    expect(cluster.name).toBe('Redis Cluster at 127.0.0.1:1')
    cluster.kv.close()
  })

  test('openKv refuses a URL that it cannot open, without printing the password', async () => {
    const messages = [
      await refusal(openKv('valkey://me:hush@host')),
      await refusal(openKv('me:hush@host')),
      await refusal(openKv('redis://me:hush@ho st')),
      await refusal(openKv('redis://me:hush@host/x')),
      await refusal(openKv('redis-cluster://me:hush@host/1')),
    ]
    expect(messages[0]).toContain('valkey:')
    expect(messages[4]).toContain('no database 1')
    expect(messages.join()).not.toContain('hush')
    expect(openKv('deno:')).rejects.toThrow(/--unstable-kv/)
  })
})
