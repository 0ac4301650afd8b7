/** What the adapter on Redis does while its server is away, another one, or out of its mind. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import type { KvEvent, OpenedKv } from '../../../adapters/kv/opened.ts'
import { usableNow } from '../../../src/mechanics/loop-delay.ts'
import { type Kv, KvError } from '../../../src/ports/kv.ts'
import { until } from '../../support/servers/processes.ts'
import { startProxy, type TestProxy } from '../../support/servers/proxy.ts'
import { stablePort, startRedis, type TestRedis } from '../../support/servers/redis.ts'
import { readUntil } from './watches.ts'

export type OutageOptions = {
  url: string
  deadlineMs: number
  namespace?: string
  onEvent?: (event: KvEvent) => void
}

const deadlineMs = 200
const slackMs = 150
/** Milliseconds until a silent connection is given up, and another one made. */
const healMs = 6000

/** How a call fails, and that it does in time: what this process had of it, on a busy machine. */
export async function failure(call: Promise<unknown>, withinMs: number): Promise<KvError> {
  const startedAt = usableNow()
  const thrown = await call.then(
    () => 'nothing was thrown',
    (error: unknown) => error,
  )
  if (!(thrown instanceof KvError)) throw new Error(`Not a KvError: ${String(thrown)}`)
  expect(usableNow() - startedAt).toBeLessThan(withinMs)
  return thrown
}

export const works = (kv: Kv) =>
  kv.get(['a', 'b']).then(
    () => true,
    () => false,
  )

export function kvOutages(name: string, open: (options: OutageOptions) => OpenedKv): void {
  describe(`${name} outlives its server:`, () => {
    let server: TestRedis
    let proxy: TestProxy
    let opened: OpenedKv
    let kv: Kv
    let events: string[]
    let direct: OpenedKv
    const key = (...parts: (string | number)[]) => ['outages', 'one', ...parts]
    const isBack = () => until('calls work again', () => works(kv), healMs)

    // A server of its own for each test: what one leaves broken cannot take another with it.
    beforeEach(async () => {
      server = await startRedis()
      proxy = await startProxy(server.port)
      events = []
      const onEvent = ({ type }: KvEvent) => events.push(type)
      const url = `redis://127.0.0.1:${proxy.port}`
      opened = open({ url, deadlineMs, onEvent })
      direct = open({ url: server.url, deadlineMs: 2000 })
      kv = opened.kv
      await until('both are ready', () => opened.ready() && direct.ready())
    }, 30_000)
    afterEach(async () => {
      kv.close()
      direct.kv.close()
      await proxy[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    }, 30_000)

    test('without a server at boot calls fail at once, and work once it runs', async () => {
      const port = await stablePort()
      const seen: string[] = []
      const onEvent = ({ type, message }: KvEvent) => seen.push(`${type}: ${message}`)
      const early = open({ url: `redis://me:hush@127.0.0.1:${port}/0`, deadlineMs, onEvent })
      const watch = early.kv.watch([key('a')]).getReader()
      const first = watch.read()
      for (let n = 0; n < 20; n++) {
        expect(await failure(early.kv.get(key('a')), slackMs)).toMatchObject({
          outcome: 'not-sent',
        })
      }
      expect(early.ready()).toBe(false)
      await until('both connections were refused', () => seen.length === 2)
      await using late = await startRedis({ port })
      late.ask('ACL', 'SETUSER', 'me', 'on', '>hush', '~*', '&*', '+@all')
      await until('it is ready', () => early.ready(), 5000)
      expect((await first).value?.[0]?.value).toBe(null)
      await early.kv.set(key('a'), 1)
      expect((await watch.read()).value?.[0]?.value).toBe(1)
      expect(early.listening()).toBe(true)
      early.kv.close()
      expect(seen.map((each) => each.split(':')[0])).toEqual(
        expect.arrayContaining(['unreachable', 'hints-lost', 'reachable', 'hints-arrive']),
      )
      expect(seen).toHaveLength(4)
      expect(`${seen.join()} ${early.name}`).not.toContain('hush')
    })

    test('a kill settles what is in flight, and what comes back is empty', async () => {
      await kv.set(key('a'), 1)
      const flood = Array.from({ length: 200 }, (_, n) => kv.set(key('flood', n), n))
      await Promise.all([server.kill(), Promise.allSettled(flood)])
      expect(await failure(kv.get(key('a')), slackMs)).toMatchObject({ outcome: 'not-sent' })
      await server.restart()
      await isBack()
      expect((await kv.get(key('a'))).value).toBe(null)
      expect(events).toEqual(['unreachable', 'reachable'])
    })

    test('a restart from an old dump is a cold store, never an old one', async () => {
      const old = await kv.set(key('a'), 'old')
      const dump = server.dump()
      const newer = await kv.set(key('a'), 'newer')
      await server.restart({ dump })
      expect(server.ask('DBSIZE')).toBe('1')
      await isBack()
      expect((await kv.get(key('a'))).value).toBe(null)
      expect(await Array.fromAsync(kv.list({ prefix: key() }))).toEqual([])
      for (const { versionstamp } of [old, newer]) {
        const commit = kv.atomic().check({ key: key('a'), versionstamp })
        expect(await commit.set(key('a'), 'wrong').commit()).toEqual({ ok: false })
      }
      // A counter does not go on from what is gone.
      expect((await kv.atomic().sum(key('n'), 1n).commit()).ok).toBe(true)
      const again = await kv.set(key('a'), 'again')
      expect(again.versionstamp > newer.versionstamp).toBe(true)
      expect(await Array.fromAsync(kv.list({ prefix: key() }), (each) => each.key.at(-1))).toEqual([
        'a',
        'n',
      ])
      // These, and what holds of the partition: nothing of the dump is left beside them.
      expect(server.ask('ZCARD', server.ask('KEYS', '*'))).toBe('3')
    })

    test('a frozen server costs each call its deadline and no more, and thaws', async () => {
      server.freeze()
      try {
        const round = Array.from({ length: 50 }, (_, n) =>
          failure(n % 2 === 0 ? kv.get(key('a')) : kv.set(key('a'), n), deadlineMs + slackMs),
        )
        const outcomes = (await Promise.all(round)).map(({ outcome }) => outcome)
        expect(new Set(outcomes)).toEqual(new Set(['unknown']))
        const other = open({ url: server.url, deadlineMs: 60_000 })
        await Bun.sleep(50)
        const pending = Promise.allSettled([other.kv.get(key('a')), direct.kv.get(key('a'))])
        const startedAt = usableNow()
        other.kv.close()
        direct.kv.close()
        await pending
        expect(usableNow() - startedAt).toBeLessThan(slackMs)
        // By now it is known to be silent. Asking on must not keep the dead connection alive.
        const isGivenUp = async () => {
          const { outcome } = await failure(kv.get(key('a')), slackMs)
          expect(outcome).toBe('not-sent')
          return events.includes('unreachable')
        }
        await until('the connection is given up', isGivenUp, healMs)
      } finally {
        server.thaw()
      }
      await isBack()
    }, 20_000)

    test('a commit whose answer is lost is unknown, and was made once', async () => {
      await kv.atomic().sum(key('n'), 1n).commit()
      proxy.onServerBytes = (chunk) => (/^\$20\r\n/.test(chunk.toString('latin1')) ? 'cut' : 'pass')
      const commit = kv.atomic().sum(key('n'), 1n).commit()
      expect(await failure(commit, deadlineMs)).toMatchObject({ outcome: 'unknown' })
      proxy.onServerBytes = undefined
      expect((await direct.kv.get<{ value: bigint }>(key('n'))).value?.value).toBe(2n)
      await isBack()
    })

    test('FLUSHALL while it is used fails nothing, and a watch goes on', async () => {
      const watch = kv.watch([key('a')]).getReader()
      let isOver = false
      let rounds = 0
      const use = async () => {
        for (; !isOver; rounds++) {
          const { versionstamp } = await kv.get(key('a'))
          const commit = kv.atomic().check({ key: key('a'), versionstamp })
          await commit
            .set(key('a'), rounds)
            .set(key('b', rounds % 10), rounds)
            .commit()
          for await (const entry of kv.list({ prefix: key('b') }, { reverse: true })) {
            expect(entry.value).toBeNumber()
          }
        }
      }
      const using = use()
      // So often at least, and until it was used in between, however busy the machine is.
      for (let n = 0; n < 20 || rounds <= 20; n++) {
        server.ask('FLUSHALL')
        server.ask('SCRIPT', 'FLUSH')
        await Bun.sleep(5)
      }
      isOver = true
      await using
      await kv.set(key('a'), 'last')
      await readUntil(watch, ([entry]) => entry.value === 'last')
    })

    test('a watch hears what happened while its connection was away', async () => {
      const watch = kv.watch([key('a'), ['outages', 'two']]).getReader()
      await watch.read()
      for (let n = 0; n < 3; n++) {
        proxy.refuse()
        proxy.cut()
        await direct.kv.set(key('a'), n)
        await direct.kv.set(['outages', 'two'], n)
        await until('it is missed', () => !opened.listening())
        await proxy.accept()
        await readUntil(watch, (row) => row.every(({ value }) => value === n))
      }
      await until('it is heard again', () => opened.listening())
      expect(events.filter((each) => each === 'hints-lost').length).toBe(3)
    })

    test('a watch outlives a restart, a route that is lost, and a frozen server', async () => {
      const watch = kv.watch([key('a')]).getReader()
      await watch.read()
      const hears = (value: string) => readUntil(watch, ([entry]) => entry.value === value)
      await server.restart()
      await until('the other is back', () => works(direct.kv))
      await direct.kv.set(key('a'), 'restarted')
      await hears('restarted')
      proxy.silence()
      await direct.kv.set(key('a'), 'silent')
      await hears('silent')
      server.freeze()
      await Bun.sleep(100)
      server.thaw()
      await until('the other is back', () => works(direct.kv))
      await direct.kv.set(key('a'), 'thawed')
      await hears('thawed')
    }, 20_000)

    test('a connection that has silently stopped hearing is noticed, told of, and made anew', async () => {
      const watch = kv.watch([key('a')]).getReader()
      await watch.read()
      // Pings are answered, subscriptions stand, and nothing that is published arrives.
      proxy.swallow((chunk) => /\r\ns?message\r\n/.test(chunk.toString('latin1')))
      await direct.kv.set(key('a'), 'unheard')
      await until('it is noticed', () => events.includes('deaf'), healMs)
      await readUntil(watch, ([entry]) => entry.value === 'unheard')
      await until('it hears again', () => opened.listening())
      await direct.kv.set(key('a'), 'heard')
      await readUntil(watch, ([entry]) => entry.value === 'heard')
      expect(events).toEqual(['deaf', 'hints-arrive'])
    }, 20_000)

    test('a connection that hears nothing because nothing happens stays as it is', async () => {
      const watch = kv.watch([key('a')]).getReader()
      await watch.read()
      const ids = () => server.ask('CLIENT', 'LIST').match(/^id=\d+ .*sub=1 /gm)
      const before = ids()?.map((line) => line.split(' ')[0])
      expect(before).toHaveLength(1)
      const echoes = () =>
        Number(
          /calls=(\d+)/.exec(
            server.ask('INFO', 'commandstats').split('cmdstat_publish:')[1] ?? '',
          )?.[1] ?? 0,
        )
      const echoed = echoes() + 2
      await until('it was held to something', () => echoes() >= echoed, 8000)
      expect(ids()?.map((line) => line.split(' ')[0])).toEqual(before)
      expect(events).toEqual([])
    }, 20_000)

    test('thousands of watches on one connection come back together', async () => {
      const names = Array.from({ length: 2000 }, (_, n) => ['outages', `many-${n}`])
      const watches = names.map((each) => kv.watch([[...each, 'head'], each]).getReader())
      await Promise.all(watches.map((watch) => watch.read()))
      proxy.cut()
      await Promise.all(names.map((each, n) => direct.kv.set(each, n)))
      await Promise.all(
        watches.map((watch, n) => readUntil(watch, ([, live]) => live?.value === n)),
      )
      const subscriptions = server.ask('CLIENT', 'LIST', 'TYPE', 'pubsub').split('\n')
      expect(subscriptions.map((line) => /sub=(\d+)/.exec(line)?.[1])).toEqual(['2000'])
      await Promise.all(watches.map((watch) => watch.cancel()))
      const isLeft = () => server.ask('PUBSUB', 'CHANNELS', 'turnlog*') === ''
      await until('nothing is subscribed to any more', isLeft)
    }, 30_000)

    test('a server that is full refuses whole commits, and goes on answering', async () => {
      await kv.set(key('a'), 1)
      server.ask('CONFIG', 'SET', 'maxmemory', '1', 'maxmemory-policy', 'noeviction')
      const commit = kv.atomic().delete(key('a')).set(key('b'), 1).set(key('c'), 1).commit()
      const outcome = await commit.then(
        () => 'made',
        (thrown: KvError) => thrown.outcome,
      )
      const left = await Array.fromAsync(kv.list({ prefix: key() }), (each) => each.key.at(-1))
      expect(left).toEqual(outcome === 'made' ? ['b', 'c'] : ['a'])
      const refused = kv.set(['outages', 'new'], 1)
      expect(await failure(refused, deadlineMs)).toMatchObject({ outcome: 'refused' })
      server.ask('CONFIG', 'SET', 'maxmemory', '0')
      await kv.set(['outages', 'new'], 1)
    })
  })
}
