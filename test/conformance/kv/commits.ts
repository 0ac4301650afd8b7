/** Claims about commits: checks, counters, order, limits and contention. */
import { deepStrictEqual, equal, match, ok } from 'node:assert/strict'
import type { Kv, KvCounter, KvKey } from '../../../src/ports/kv.ts'
import { type Claim, refused } from './claim.ts'

const counterOf = async (kv: Kv, key: KvKey) => (await kv.get<KvCounter>(key)).value?.value

export function kvCommits(claim: Claim): void {
  claim('a KV commit writes nothing if the checked entry has changed', async ({ kv, key }) => {
    const first = await kv.set(key('a'), 1)
    const second = await kv.set(key('a'), 2)
    const attempts = [first.versionstamp, null, '0'.repeat(20)]
    for (const versionstamp of attempts) {
      const commit = kv.atomic().check({ key: key('a'), versionstamp })
      deepStrictEqual(await commit.set(key('a'), 3).set(key('b'), 3).commit(), { ok: false })
    }
    const half = kv.atomic().check({ key: key('a'), versionstamp: second.versionstamp })
    half.check({ key: key('b'), versionstamp: second.versionstamp })
    deepStrictEqual(await half.delete(key('a')).commit(), { ok: false })
    equal((await kv.get(key('a'))).value, 2)
    equal((await kv.get(key('b'))).value, null)
  })

  claim(
    'a commit whose checks hold makes all changes, under one versionstamp',
    async ({ kv, key }) => {
      const { versionstamp } = await kv.set(key('a'), 1)
      const commit = kv
        .atomic()
        .check({ key: key('a'), versionstamp }, { key: key('b'), versionstamp: null })
      const result = await commit.delete(key('a')).set(key('b'), 2).sum(key('c'), 3n).commit()
      const stamp = result.ok ? result.versionstamp : 'failed'
      match(stamp, /^[0-9a-f]{20}$/)
      ok(stamp > versionstamp)
      const [a, b, c] = await kv.getMany([key('a'), key('b'), key('c')])
      deepStrictEqual([a?.versionstamp, b?.versionstamp, c?.versionstamp], [null, stamp, stamp])
    },
  )

  claim('the changes of a commit apply in their order', async ({ kv, key }) => {
    const commit = kv.atomic()
    commit.set(key('gone'), 1).delete(key('gone'))
    commit.delete(key('there')).set(key('there'), 1).set(key('there'), 2)
    commit.sum(key('n'), 1n).sum(key('n'), 2n).max(key('n'), 10n).min(key('n'), 7n)
    commit.sum(key('new'), 5n).delete(key('new')).sum(key('new'), 1n)
    await commit.commit()
    equal((await kv.get(key('gone'))).value, null)
    equal((await kv.get(key('there'))).value, 2)
    equal(await counterOf(kv, key('n')), 7n)
    equal(await counterOf(kv, key('new')), 1n)
  })

  claim(
    'a counter adds modulo 2^64, or takes the smaller or the greater value',
    async ({ kv, key }) => {
      const largest = 2n ** 64n - 1n
      await kv.atomic().sum(key('n'), 5n).min(key('low'), 5n).max(key('high'), 5n).commit()
      const after = async (sum: bigint, min: bigint, max: bigint) => {
        await kv.atomic().sum(key('n'), sum).min(key('low'), min).max(key('high'), max).commit()
        return Promise.all(['n', 'low', 'high'].map((name) => counterOf(kv, key(name))))
      }
      deepStrictEqual(await after(2n ** 32n, 2n ** 33n, 4n), [2n ** 32n + 5n, 5n, 5n])
      deepStrictEqual(await after(largest, 4n, 2n ** 40n), [2n ** 32n + 4n, 4n, 2n ** 40n])
      deepStrictEqual(await after(0n, 0n, largest), [2n ** 32n + 4n, 0n, largest])
      deepStrictEqual(await after(largest, largest, 0n), [2n ** 32n + 3n, 0n, largest])
    },
  )

  claim(
    'a sum, min or max of an entry that is no counter is a TypeError and changes nothing',
    async ({ kv, key }) => {
      for (const value of [1, 1n, 'text', null, new Uint8Array(8), { value: 1n }]) {
        await kv.set(key('x'), value)
        for (const type of ['sum', 'min', 'max'] as const) {
          await refused(() => kv.atomic()[type](key('x'), 1n).commit(), new RegExp(type))
        }
        deepStrictEqual((await kv.get(key('x'))).value, value)
      }
    },
  )

  claim(
    'a commit with a sum of an entry that is no counter changes nothing',
    async ({ kv, key }) => {
      await kv.set(key('x'), 'text')
      await refused(() => kv.atomic().set(key('y'), 1).sum(key('x'), 1n).commit())
      await refused(() => kv.atomic().sum(key('n'), 1n).set(key('y'), 1).max(key('y'), 1n).commit())
      const row = await kv.getMany([key('y'), key('n')])
      deepStrictEqual(
        row.map(({ value }) => value),
        [null, null],
      )
    },
  )

  claim('the operand of a counter is an unsigned bigint of 64 bits', async ({ kv, key }) => {
    await refused(() => kv.atomic().sum(key('n'), -1n).commit(), /-1/, RangeError)
    await refused(
      () =>
        kv
          .atomic()
          .max(key('n'), 2n ** 64n)
          .commit(),
      /64-bit/,
      RangeError,
    )
    await refused(
      () =>
        kv
          .atomic()
          .min(key('n'), 1 as unknown as bigint)
          .commit(),
      /bigint/,
    )
  })

  claim('a KV check with a malformed versionstamp throws a TypeError', async ({ kv, key }) => {
    for (const versionstamp of ['', 'abc', 'z'.repeat(20)]) {
      await refused(() =>
        kv
          .atomic()
          .check({ key: key('a'), versionstamp })
          .commit(),
      )
    }
  })

  claim('a KV commit without changes succeeds', async ({ kv, key }) => {
    equal((await kv.atomic().commit()).ok, true)
    const absent = { key: key('a'), versionstamp: null }
    equal((await kv.atomic().check(absent).commit()).ok, true)
    const { versionstamp } = await kv.set(key('a'), 1)
    equal(
      (
        await kv
          .atomic()
          .check({ key: key('a'), versionstamp })
          .commit()
      ).ok,
      true,
    )
    equal((await kv.atomic().check(absent).commit()).ok, false)
    equal((await kv.get(key('a'))).versionstamp, versionstamp)
  })

  claim(
    'a commit past a limit changes nothing, and a commit at the limits succeeds',
    async ({ kv, key }) => {
      const numbers = Array.from({ length: 1001 }, (_, n) => n)
      const largest = kv.atomic()
      for (const n of numbers.slice(1)) largest.set(key('many', n), n)
      equal((await largest.commit()).ok, true)
      await refused(() => {
        const commit = kv.atomic()
        for (const n of numbers) commit.set(key('more', n), n)
        return commit.commit()
      }, /1000/)
      await refused(() => {
        const commit = kv.atomic()
        for (const n of numbers.slice(0, 101)) commit.check({ key: key(n), versionstamp: null })
        return commit.commit()
      }, /100/)
      await refused(() => {
        const commit = kv.atomic()
        for (const n of numbers.slice(0, 13)) commit.set(key('more', n), new Uint8Array(65_000))
        return commit.commit()
      }, /819200/)
      await refused(() => {
        const commit = kv.atomic()
        for (const n of numbers.slice(0, 50)) commit.set(key('x'.repeat(1900), n), n)
        return commit.commit()
      }, /81920/)
      const list = kv.list({ prefix: key() }, { batchSize: 1000 })
      equal((await Array.fromAsync(list)).length, 1000)
    },
  )

  claim('concurrent read-and-check increments lose no count', async ({ kv, key }) => {
    const increment = async () => {
      for (;;) {
        const { value, versionstamp } = await kv.get<number>(key('n'))
        const commit = kv.atomic().check({ key: key('n'), versionstamp })
        if ((await commit.set(key('n'), (value ?? 0) + 1).commit()).ok) return
      }
    }
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        for (let n = 0; n < 10; n++) await increment()
      }),
    )
    equal((await kv.get(key('n'))).value, 80)
  })

  claim('concurrent sums lose no count', async ({ kv, key }) => {
    const adds = Array.from({ length: 200 }, (_, n) =>
      kv.atomic().sum(key('n'), BigInt(n)).commit(),
    )
    await Promise.all(adds)
    equal(await counterOf(kv, key('n')), 19_900n)
  })

  claim('exactly one of several concurrent creations of an entry succeeds', async ({ kv, key }) => {
    const create = (n: number) =>
      kv
        .atomic()
        .check({ key: key('a'), versionstamp: null })
        .set(key('a'), n)
        .commit()
    const results = await Promise.all(Array.from({ length: 30 }, (_, n) => create(n)))
    equal(results.filter((result) => result.ok).length, 1)
  })

  claim('a KV read of several keys sees all changes of a commit or none', async ({ kv, key }) => {
    let isOver = false
    const write = async () => {
      for (let n = 0; !isOver; n++) await kv.atomic().set(key('a'), n).set(key('b'), n).commit()
    }
    const writing = write()
    for (let n = 0; n < 200; n++) {
      const [a, b] = await kv.getMany<[number, number]>([key('a'), key('b')])
      equal(a.versionstamp, b.versionstamp)
      equal(a.value, b.value)
    }
    isOver = true
    await writing
  })

  claim('a KV commit may change several partitions', async ({ kv, key }) => {
    const [, name = ''] = key()
    const commit = kv.atomic().check({ key: [name], versionstamp: null })
    const result = await commit.set([name, 'a'], 1).set([name, 'b', 'c'], 2).commit()
    equal(result.ok, true)
    const row = await kv.getMany([
      [name, 'a'],
      [name, 'b', 'c'],
    ])
    deepStrictEqual(
      row.map(({ value }) => value),
      [1, 2],
    )
  })
}
