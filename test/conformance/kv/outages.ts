/** Tests of the adapter on Redis while its server is away, is replaced, is full or is silent. */
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
/** Milliseconds until a silent connection is closed and another one is made. */
const healMs = 6000

/**
 * The failure of a call, which must arrive in time. Only the time that this process could use
 * counts.
 */
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
  describe(`${name} during outages`, () => {
    let server: TestRedis
    let proxy: TestProxy
    let opened: OpenedKv
    let kv: Kv
    let events: string[]
    let direct: OpenedKv
    const key = (...parts: (string | number)[]) => ['outages', 'one', ...parts]
    const isBack = () => until('calls work again', () => works(kv), healMs)

    // Each test has its own server, so that a test that breaks it cannot make others fail.
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

    test('a KV call fails at once if Redis is away at the start, and works once Redis runs', async () => {
      const port = await stablePort()
      const events: string[] = []
      const onEvent = ({ type, message }: KvEvent) => events.push(`${type}: ${message}`)
      const early = open({ url: `redis://me:hush@127.0.0.1:${port}/0`, deadlineMs, onEvent })
      const watch = early.kv.watch([key('a')]).getReader()
      const first = watch.read()
      for (let n = 0; n < 20; n++) {
        expect(await failure(early.kv.get(key('a')), slackMs)).toMatchObject({
          outcome: 'not-sent',
        })
      }
      expect(early.ready()).toBe(false)
      await until('both connections were refused', () => events.length === 2)
      await using late = await startRedis({ port })
      late.ask('ACL', 'SETUSER', 'me', 'on', '>hush', '~*', '&*', '+@all')
      await until('it is ready', () => early.ready(), 5000)
      expect((await first).value?.[0]?.value).toBe(null)
      await early.kv.set(key('a'), 1)
      expect((await watch.read()).value?.[0]?.value).toBe(1)
      expect(early.listening()).toBe(true)
      early.kv.close()
      expect(events.map((each) => each.split(':')[0])).toEqual(
        expect.arrayContaining(['unreachable', 'hints-lost', 'reachable', 'hints-arrive']),
      )
      expect(events).toHaveLength(4)
      expect(`${events.join()} ${early.name}`).not.toContain('hush')
    })

    test('a kill of Redis settles the calls in flight, and the restarted Redis reads as empty', async () => {
      await kv.set(key('a'), 1)
      const flood = Array.from({ length: 200 }, (_, n) => kv.set(key('flood', n), n))
      await Promise.all([server.kill(), Promise.allSettled(flood)])
      expect(await failure(kv.get(key('a')), slackMs)).toMatchObject({ outcome: 'not-sent' })
      await server.restart()
      await isBack()
      expect((await kv.get(key('a'))).value).toBe(null)
      expect(events).toEqual(['unreachable', 'reachable'])
    })

    test('a Redis that restarts from an old dump reads as empty', async () => {
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
      // A counter does not continue from a lost value.
      expect((await kv.atomic().sum(key('n'), 1n).commit()).ok).toBe(true)
      const again = await kv.set(key('a'), 'again')
      expect(again.versionstamp > newer.versionstamp).toBe(true)
      expect(await Array.fromAsync(kv.list({ prefix: key() }), (each) => each.key.at(-1))).toEqual([
        'a',
        'n',
      ])
      // The two entries and the facts of the partition: no entry of the dump is left.
      expect(server.ask('ZCARD', server.ask('KEYS', '*'))).toBe('3')
    })

    test('a KV call to a frozen Redis fails by its deadline, and calls work after the thaw', async () => {
      server.freeze()
      try {
        const calls = Array.from({ length: 50 }, (_, n) =>
          failure(n % 2 === 0 ? kv.get(key('a')) : kv.set(key('a'), n), deadlineMs + slackMs),
        )
        const outcomes = (await Promise.all(calls)).map(({ outcome }) => outcome)
        expect(new Set(outcomes)).toEqual(new Set(['unknown']))
        const other = open({ url: server.url, deadlineMs: 60_000 })
        await Bun.sleep(50)
        const pending = Promise.allSettled([other.kv.get(key('a')), direct.kv.get(key('a'))])
        const startedAt = usableNow()
        other.kv.close()
        direct.kv.close()
        await pending
        expect(usableNow() - startedAt).toBeLessThan(slackMs)
        // The server counts as silent by now. Further calls must not keep the dead connection
        // alive.
        const isGivenUp = async () => {
          const { outcome } = await failure(kv.get(key('a')), slackMs)
          expect(outcome).toBe('not-sent')
          return events.includes('unreachable')
        }
        await until('the connection is closed', isGivenUp, healMs)
      } finally {
        server.thaw()
      }
      await isBack()
    }, 20_000)

    test('a KV commit whose answer is lost has an unknown outcome and was made once', async () => {
      await kv.atomic().sum(key('n'), 1n).commit()
      proxy.onServerBytes = (chunk) => (/^\$20\r\n/.test(chunk.toString('latin1')) ? 'cut' : 'pass')
      const commit = kv.atomic().sum(key('n'), 1n).commit()
      expect(await failure(commit, deadlineMs)).toMatchObject({ outcome: 'unknown' })
      proxy.onServerBytes = undefined
      expect((await direct.kv.get<{ value: bigint }>(key('n'))).value?.value).toBe(2n)
      await isBack()
    })

    test('FLUSHALL fails no call, and watches continue', async () => {
      const watch = kv.watch([key('a')]).getReader()
      let isOver = false
      let repetitions = 0
      const use = async () => {
        for (; !isOver; repetitions++) {
          const { versionstamp } = await kv.get(key('a'))
          const commit = kv.atomic().check({ key: key('a'), versionstamp })
          await commit
            .set(key('a'), repetitions)
            .set(key('b', repetitions % 10), repetitions)
            .commit()
          for await (const entry of kv.list({ prefix: key('b') }, { reverse: true })) {
            expect(entry.value).toBeNumber()
          }
        }
      }
      const using = use()
      // Flush at least 20 times, and until 20 repetitions of the calls are done, which takes longer on a
      // busy machine.
      for (let n = 0; n < 20 || repetitions <= 20; n++) {
        server.ask('FLUSHALL')
        server.ask('SCRIPT', 'FLUSH')
        await Bun.sleep(5)
      }
      isOver = true
      await using
      await kv.set(key('a'), 'last')
      await readUntil(watch, ([entry]) => entry.value === 'last')
    })

    test('a KV watch emits a change that was made while its connection was lost', async () => {
      const watch = kv.watch([key('a'), ['outages', 'two']]).getReader()
      await watch.read()
      for (let n = 0; n < 3; n++) {
        proxy.refuse()
        proxy.cut()
        await direct.kv.set(key('a'), n)
        await direct.kv.set(['outages', 'two'], n)
        await until('the loss is noticed', () => !opened.listening())
        await proxy.accept()
        await readUntil(watch, (row) => row.every(({ value }) => value === n))
      }
      await until('changes arrive again', () => opened.listening())
      expect(events.filter((each) => each === 'hints-lost').length).toBe(3)
    })

    test('a KV watch continues after a restart, a lost route and a freeze of Redis', async () => {
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

    test('a Redis connection that stopped receiving changes without an error is reported and replaced', async () => {
      const watch = kv.watch([key('a')]).getReader()
      await watch.read()
      // Pings are answered and subscriptions exist, but published messages do not arrive.
      proxy.swallow((chunk) => /\r\ns?message\r\n/.test(chunk.toString('latin1')))
      await direct.kv.set(key('a'), 'unheard')
      await until('it is noticed', () => events.includes('deaf'), healMs)
      await readUntil(watch, ([entry]) => entry.value === 'unheard')
      await until('changes arrive again', () => opened.listening())
      await direct.kv.set(key('a'), 'heard')
      await readUntil(watch, ([entry]) => entry.value === 'heard')
      expect(events).toEqual(['deaf', 'hints-arrive'])
    }, 20_000)

    test('a Redis connection that receives nothing because nothing changes is kept', async () => {
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
      await until('test messages were published', () => echoes() >= echoed, 8000)
      expect(ids()?.map((line) => line.split(' ')[0])).toEqual(before)
      expect(events).toEqual([])
    }, 20_000)

    test('thousands of KV watches on one connection continue after a restart of Redis', async () => {
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
      await until('no subscription is left', isLeft)
    }, 30_000)

    test('a full Redis refuses whole commits and still answers reads', async () => {
      await kv.set(key('a'), 1)
      server.ask('CONFIG', 'SET', 'maxmemory', '1', 'maxmemory-policy', 'noeviction')
      const commit = kv.atomic().delete(key('a')).set(key('b'), 1).set(key('c'), 1).commit()
      const outcome = await commit.then(
        () => 'made',
        (thrown: KvError) => thrown.outcome,
      )
      const names = await Array.fromAsync(kv.list({ prefix: key() }), (each) => each.key.at(-1))
      expect(names).toEqual(outcome === 'made' ? ['b', 'c'] : ['a'])
      const refused = kv.set(['outages', 'new'], 1)
      expect(await failure(refused, deadlineMs)).toMatchObject({ outcome: 'refused' })
      server.ask('CONFIG', 'SET', 'maxmemory', '0')
      await kv.set(['outages', 'new'], 1)
    })
  })
}
