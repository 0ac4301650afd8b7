/**
 * The service under load while its Redis fails. `FAULTS=long` gives each fault its full length, and
 * compares the time of reads with the same run without a cache.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import * as faults from '../../support/cache/cache-faults.ts'
import {
  createTalks,
  createTurns,
  fill,
  startLoad,
  type Talk,
} from '../../support/cache/cache-load.ts'
import { differences, type Run, runWithFault } from '../../support/cache/cache-run.ts'
import { type Node, startNode } from '../../support/servers/node.ts'
import { testDatabaseUrl } from '../../support/servers/postgres.ts'
import { freePort } from '../../support/servers/processes.ts'
import { startProxy, type TestProxy } from '../../support/servers/proxy.ts'
import { redisMissing, startRedis, type TestRedis } from '../../support/servers/redis.ts'

const isLong = process.env['FAULTS'] === 'long'
const talksCount = 40
const turnsEach = isLong ? 32 : 24

type Case = {
  readonly name: string
  readonly fault: faults.Fault
  readonly through?: 'proxies'
  /** Milliseconds, in CI and at full length. */
  readonly lasts: readonly [number, number]
}

const cases: readonly Case[] = [
  { name: 'absent at boot', fault: faults.absentAtBoot, lasts: [700, 5000] },
  { name: 'killed and restarted empty', fault: faults.killedAndEmpty, lasts: [500, 5000] },
  { name: 'restarted from an old dump', fault: faults.oldDump, lasts: [300, 5000] },
  { name: 'stopped', fault: faults.stopped, lasts: [2000, 10_000] },
  { name: 'flushed five times', fault: faults.flushed, lasts: [800, 10_000] },
  { name: 'limited to 2 MB with allkeys-lru', fault: faults.tooSmall, lasts: [800, 10_000] },
  { name: 'cut off three times', fault: faults.linkCut, through: 'proxies', lasts: [900, 9000] },
  {
    name: 'behind a half-open link',
    fault: faults.linkHalfOpen,
    through: 'proxies',
    lasts: [0, 0],
  },
  ...faults.refusals.map((refusal) => ({
    name: refusal.name,
    fault: faults.refusing(refusal),
    lasts: [1200, 10_000] as const,
  })),
  {
    name: 'silent to subscribers',
    fault: faults.deaf,
    through: 'proxies',
    lasts: [1500, 10_000],
  },
  { name: 'behind a slow link', fault: faults.linkSlow, through: 'proxies', lasts: [800, 10_000] },
]

const times = isLong ? { leadMs: 3000, wholeRunMs: 20_000 } : { leadMs: 300, wholeRunMs: 1500 }

describe.skipIf(redisMissing() !== undefined)('the service under load', () => {
  const nextTurn = createTurns()
  const table: string[][] = []
  let databaseUrl: string
  let redis: TestRedis
  let links: TestProxy[]
  let nodes: { direct: Node[]; proxies: Node[]; off: Node[] }
  /** Nodes without Redis have their own conversations: their commits do not reach the cache. */
  let talks: { on: Talk[]; off: Talk[] }

  const start = (urls: readonly string[]) =>
    Promise.all(urls.map((url) => startNode({ DATABASE_URL: databaseUrl, REDIS_URL: url })))

  beforeAll(async () => {
    databaseUrl = await testDatabaseUrl()
    redis = await startRedis({ settings: { 'enable-protected-configs': 'yes' } })
    links = [await startProxy(redis.port), await startProxy(redis.port)]
    await redis.stop()
    const nowhere = `redis://127.0.0.1:${await freePort()}`
    // The first node makes the tables.
    const off = [...(await start([nowhere])), ...(await start([nowhere]))]
    const direct = await start([redis.url, redis.url])
    nodes = { off, direct, proxies: [] }
    const base = off[0]?.url ?? ''
    talks = { on: await createTalks(base, talksCount), off: await createTalks(base, talksCount) }
    await Promise.all([
      fill(off, talks.off, turnsEach, nextTurn),
      fill(direct, talks.on, turnsEach, nextTurn),
    ])
  }, 60_000)

  afterAll(async () => {
    for (const node of Object.values(nodes).flat()) await node[Symbol.asyncDispose]()
    for (const link of links) await link[Symbol.asyncDispose]()
    await redis[Symbol.asyncDispose]()
    printTable(table)
  }, 30_000)

  const run = (
    rest: Pick<Parameters<typeof runWithFault>[0], 'nodes' | 'talks' | 'faultMs'> & {
      fault?: faults.Fault
    },
  ) => runWithFault({ ...times, ...rest, nextTurn, redis, links })

  const warm = new Set<readonly Node[]>()
  /**
   * Loads the nodes before a full-length run is timed, because code that has run before is faster.
   */
  const warmUp = async (nodes: readonly Node[], talks: readonly Talk[]) => {
    if (!isLong || warm.has(nodes)) return
    warm.add(nodes)
    const load = startLoad({ nodes, talks, nextTurn })
    await Bun.sleep(3000)
    await load.stop()
    expect(load.failures).toEqual([])
  }

  let off: Run
  const baseline = async () => {
    await warmUp(nodes.off, talks.off)
    off = await run({ nodes: nodes.off, talks: talks.off, faultMs: 0 })
    table.push(['off', ...columnsOf(off, off)])
    expect(off.failures).toEqual([])
    expect(off.wrong).toEqual([])
  }

  test('no request fails and no read is wrong without Redis', async () => {
    await baseline()
    expect(off.fromCache).toBe(0)
  }, 60_000)

  for (const { name, fault, lasts, through = 'direct' } of cases)
    test(`no request fails and no read is wrong with Redis ${name}, and the cache recovers`, async () => {
      if (isLong) await baseline()
      if (through === 'proxies' && nodes.proxies.length === 0)
        nodes.proxies = await start(links.map(({ port }) => `redis://127.0.0.1:${port}`))
      await warmUp(nodes[through], talks.on)
      const found = await run({
        nodes: nodes[through],
        talks: talks.on,
        fault,
        faultMs: lasts[isLong ? 1 : 0],
      })
      table.push([name, ...columnsOf(found, off)])
      expect(found.failures).toEqual([])
      expect(found.wrong).toEqual([])
      expect(found.fromCache).toBeGreaterThan(0)
    }, 120_000)

  test('cache failures are logged as warnings with conversation and reason, at most ten of one kind in ten seconds', () => {
    const talkIds = new Set([...talks.on, ...talks.off].map(({ id }) => id))
    for (const node of Object.values(nodes).flat()) {
      const lines = linesOf(node)
      expect(lines.filter(({ level }) => level === 'error')).toEqual([])
      // A line that counts omitted lines names no conversation.
      const failed = lines.filter(
        ({ event, leftOut }) => event === 'cache-failed' && leftOut === undefined,
      )
      const isOff = nodes.off.includes(node)
      // If Redis was never there, the probe may find that before a read or a write does.
      if (!isOff) expect(failed.length).toBeGreaterThan(0)
      for (const { level, what, reason, conversationId } of failed) {
        expect(level).toBe('warn')
        expect(what).toMatch(/^(read|fill|apply|drop|erase)$/)
        expect(reason).toMatch(/./)
        expect(talkIds.has(conversationId)).toBe(true)
      }
      // The limit is ten lines of a kind in a period of ten seconds, so twenty in any ten seconds.
      for (const kind of new Set(failed.map(({ what }) => what))) {
        const times = failed.filter(({ what }) => what === kind).map(({ time }) => Date.parse(time))
        for (const [index, time] of times.entries())
          expect((times[index + 20] ?? Number.POSITIVE_INFINITY) - time).toBeGreaterThan(9900)
      }
      const events = new Set(lines.map(({ event }) => event))
      for (const event of ['cache-skipped', 'cache-lost']) expect(events).toContain(event)
      for (const event of ['cache-used', 'cache-back']) expect(events.has(event)).toBe(!isOff)
      // The cache never has a version that the database does not have.
      expect(events.has('cache-ahead')).toBe(false)
    }
  })

  test('the database has every acknowledged change, word for word', async () => {
    expect(await differences(databaseUrl, [...talks.on, ...talks.off])).toEqual([])
  }, 30_000)
})

type Line = Record<'time' | 'level' | 'event' | 'what' | 'reason' | 'conversationId', string> & {
  readonly leftOut?: number
}

const linesOf = (node: Node): Line[] =>
  node
    .log()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))

const columnsOf = (run: Run, off: Run): string[] => [
  String(run.requests),
  String(run.failures.length),
  String(run.wrong.length),
  `${Math.round(run.fromCache * 100)} %`,
  `${run.p99.toFixed(1)} ms`,
  `${off.p99.toFixed(1)} ms`,
  run.wholeMs === undefined ? '' : `${(run.wholeMs / 1000).toFixed(2)} s`,
  isLong && run !== off ? (run.p99 - off.p99 <= 15 ? 'holds' : 'too slow') : '',
]

const heading = [
  'fault',
  'requests',
  'failures',
  'wrong reads',
  'from cache',
  'p99',
  'p99 off',
  'time to whole',
  'p99 <= off + 15 ms',
]

function printTable(rows: readonly string[][]): void {
  const all = [heading, ...rows]
  const widths = heading.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  const lines = all.map((row) => row.map((cell, n) => cell.padEnd(widths[n] ?? 0)).join('  '))
  process.stdout.write(`\n${lines.join('\n')}\n`)
}
