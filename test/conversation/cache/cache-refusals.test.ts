/**
 * A Redis that answers reads and refuses writes. Its entries become stale, and neither stale nor
 * erased messages may be served. Of two nodes, one writes and the other only reads.
 */
import { beforeAll, describe, expect, test } from 'bun:test'
import { type Refusal, refusals } from '../../support/cache/cache-faults.ts'
import { type TestApp, testApp } from '../../support/servers/app.ts'
import { testDatabaseUrl } from '../../support/servers/postgres.ts'
import { until } from '../../support/servers/processes.ts'
import {
  redisMissing,
  startRedis,
  startRedisCluster,
  type TestRedis,
} from '../../support/servers/redis.ts'

const turnOf = (text: string) => ({ user: { text }, assistant: { responses: [`so: ${text}`] } })
const modes = ['consistency=strong', 'consistency=eventual', 'floor'] as const

type Line = { event: string; level: string; reason?: string; what?: string }

const linesOf = ({ log }: TestApp): Line[] => log.map((line) => JSON.parse(line))

function talkOf(id: string) {
  const path = `/v1/conversations/${id}`
  const read = (app: TestApp, rest = 'consistency=eventual') =>
    app.ask('GET', `${path}/history?last=50&${rest}`)
  return {
    id,
    read,
    say: (app: TestApp, text: string) => app.ask('POST', `${path}/turns`, turnOf(text)),
    erase: (app: TestApp) => app.ask('DELETE', path),
    isCached: async (app: TestApp) =>
      (await read(app)).headers.get('turnlog-source') === 'cache' &&
      (await read(app, 'consistency=strong')).headers.get('turnlog-source') === 'cache',
  }
}

async function newTalk(app: TestApp) {
  const { body } = await app.ask('POST', '/v1/conversations', {})
  return talkOf(String(body.id))
}

describe.skipIf(redisMissing() !== undefined)('a Redis that refuses writes', () => {
  let databaseUrl: string

  beforeAll(async () => {
    databaseUrl = await testDatabaseUrl()
  })

  /** Runs two nodes on the Redis at `url`, whose `servers` refuse writes for some time. */
  const refused = async (
    url: string,
    servers: readonly TestRedis[],
    { begin, end, code }: Refusal,
  ) => {
    const node = () => testApp({ overrides: { cache: { url }, database: { url: databaseUrl } } })
    await using writing = await node()
    await using reading = await node()
    const nodes = [writing, reading]
    const isStatus = (app: TestApp, status: string) => async () =>
      (await app.ask('GET', '/readyz')).body.status === status
    for (const app of nodes) await until('it is ready', isStatus(app, 'ready'))
    const [talk, erasedTalk] = [await newTalk(writing), await newTalk(writing)]
    const { body: recorded } = await erasedTalk.say(writing, 'xylophone')
    await talk.say(writing, 'first')
    for (const app of nodes)
      for (const each of [talk, erasedTalk]) await until('it is cached', () => each.isCached(app))
    const connections = () =>
      servers.map(
        (server) => server.ask('CLIENT', 'LIST').match(/^id=\d+ .* cmd=(?!client)/gm)?.length,
      )
    await using restored = new AsyncDisposableStack()
    for (const server of servers) restored.defer(() => end(server))
    for (const server of servers) await begin(server)
    const before = connections()

    // The writing node is refused at once; the reading one finds out within two heartbeats.
    const { body: second } = await talk.say(writing, 'second')
    for (const app of nodes) {
      const isNew = async () => (await talk.read(app)).body.version === second.version
      await until('an eventual read has the newest version', isNew, 5000)
    }
    expect((await erasedTalk.erase(writing)).status).toBe(200)
    const floor = `minCursor=${String(recorded.cursor)}`
    const codesOf = async (app: TestApp) => {
      const codes = modes.map(async (mode) => {
        const { status, body } = await erasedTalk.read(app, mode === 'floor' ? floor : mode)
        return [status, body.code]
      })
      return await Promise.all(codes)
    }
    const erased = modes.map(() => [410, 'conversation-erased'])
    expect(await codesOf(writing)).toEqual(erased)
    // The other node finds the erasure at the latest by its poll, every 5 s.
    const isErasedThere = async () => Bun.deepEquals(await codesOf(reading), erased)
    await until('the other node serves no erased message', isErasedThere, 15_000)
    for (const app of nodes) {
      await until('it says that it is degraded', isStatus(app, 'degraded'))
      const { status, body } = await app.ask('GET', '/readyz')
      expect([status, body.dependencies]).toMatchObject([200, { cache: { status: 'read-only' } }])
      const skipped = linesOf(app).filter(({ event }) => event === 'cache-skipped')
      expect(skipped.map(({ level }) => level)).toEqual(['warn'])
      expect(skipped[0]?.reason).toMatch(new RegExp(` answered (ERR )?${code}`))
      expect(linesOf(app).filter(({ event }) => event === 'cache-failed').length).toBeLessThan(11)
    }
    // A node reconnects only after READONLY: another master may be behind the same name.
    if (code !== 'READONLY') expect(connections()).toEqual(before)

    for (const server of servers) await end(server)
    for (const app of nodes) {
      await until('it is ready again', isStatus(app, 'ready'))
      expect(linesOf(app).filter(({ event }) => event === 'cache-used')).toHaveLength(1)
      await until('the cache is used', () => talk.isCached(app))
      expect((await talk.read(app)).body.version).toBe(second.version)
      expect(await codesOf(app)).toEqual(erased)
    }
    const isLeft = () =>
      servers.some((server) => server.ask('--raw', 'EVAL', dumpAll, '0').includes('xylophone'))
    await until('no erased word is left in Redis', () => !isLeft(), 15_000)
  }

  describe('one Redis', () => {
    for (const refusal of refusals)
      test(`nodes on a Redis ${refusal.name} serve nothing stale and nothing erased`, async () => {
        await using redis = await startRedis({ settings: { 'enable-protected-configs': 'yes' } })
        await refused(redis.url, [redis], refusal)
      }, 60_000)
  })

  // In a Cluster, a master that has slots cannot become a replica.
  for (const refusal of refusals.filter(({ code }) => code !== 'READONLY' && code !== 'MISCONF'))
    test(`nodes on a Redis Cluster ${refusal.name} serve nothing stale and nothing erased`, async () => {
      await using cluster = await startRedisCluster()
      await refused(cluster.url, cluster.nodes, refusal)
    }, 90_000)
})

const dumpAll = `
local all = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do all[#all + 1] = member end
end
return table.concat(all, ' ')`
