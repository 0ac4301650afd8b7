/** Claims about single entries: values, sizes, expiry and closing. */
import { deepStrictEqual, equal, match, notEqual, ok, rejects } from 'node:assert/strict'
import fc from 'fast-check'
import { type Claim, eventually, pause, refused } from './claim.ts'

/** Values of every kind that the port stores. */
const storable = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.double(),
    fc.integer(),
    fc.string({ unit: 'binary' }),
    fc.constantFrom('\ud800', '\ufeffmark', 'é\0😀'),
    fc.bigInt(),
    fc.date({ noInvalidDate: false }),
    fc.uint8Array({ maxLength: 40 }),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(
      fc.oneof(fc.string(), fc.constantFrom('$bigint', '$object', '$', '__proto__', 'a')),
      tie('value'),
      { maxKeys: 5, noNullPrototype: true },
    ),
  ),
})).value

export function kvEntries(claim: Claim): void {
  claim('a KV entry exists after a set and is missing after a delete', async ({ kv, key }) => {
    const none = { key: key('a'), value: null, versionstamp: null }
    deepStrictEqual(await kv.get(key('a')), none)
    const set = await kv.set(key('a'), 'first')
    equal(set.ok, true)
    match(set.versionstamp, /^[0-9a-f]{20}$/)
    const entry = { key: key('a'), value: 'first', versionstamp: set.versionstamp }
    deepStrictEqual(await kv.get(key('a')), entry)
    deepStrictEqual(await kv.get(key('a'), { consistency: 'eventual' }), entry)
    equal(await kv.delete(key('a')), undefined)
    equal(await kv.delete(key('a')), undefined)
    deepStrictEqual(await kv.get(key('a')), none)
  })

  claim(
    'a key is found by exactly its parts, and not by fewer or more of them',
    async ({ kv, key }) => {
      const [, name = ''] = key()
      await kv.set(key(), 'two')
      await kv.set([name], 'one')
      await kv.set(key('a', 'b'), 'four')
      const row = await kv.getMany<[string, string, string, string]>([
        [name],
        key(),
        key('a'),
        key('a', 'b'),
      ])
      deepStrictEqual(
        row.map(({ value }) => value),
        ['one', 'two', null, 'four'],
      )
      equal((await kv.get([])).value, null)
      deepStrictEqual(await kv.getMany([]), [])
    },
  )

  claim('a KV read returns each value as it was written', async ({ kv, key }) => {
    const all = fc.asyncProperty(storable, async (value) => {
      await kv.set(key('v'), value)
      deepStrictEqual((await kv.get(key('v'))).value, value)
    })
    await fc.assert(all, { numRuns: 100 })
  })

  claim('the KV shares no bytes with its callers', async ({ kv, key }) => {
    const mine = new Uint8Array([1, 2, 3])
    await kv.set(key('bytes'), mine)
    mine[0] = 9
    const first = (await kv.get<Uint8Array>(key('bytes'))).value
    deepStrictEqual(first, new Uint8Array([1, 2, 3]))
    first?.fill(7)
    deepStrictEqual((await kv.get(key('bytes'))).value, new Uint8Array([1, 2, 3]))
  })

  claim('a function or a symbol as a KV value is a TypeError', async ({ kv, key }) => {
    await refused(() => kv.set(key('f'), () => 1))
    await refused(() => kv.set(key('f'), { deep: [Symbol('s')] }))
    equal((await kv.get(key('f'))).value, null)
  })

  claim('a KV value of a type that the port does not name is a TypeError', async ({ kv, key }) => {
    const circle: unknown[] = []
    circle.push(circle)
    const others = [undefined, { a: undefined }, new Map(), new Set(), /x/, new URL('a:b'), circle]
    for (const value of others) await refused(() => kv.set(key('o'), value))
    await refused(() =>
      kv
        .atomic()
        .set(key('o'), new (class Own {})())
        .commit(),
    )
    equal((await kv.get(key('o'))).value, null)
  })

  claim('the error of a broken limit names the limit', async ({ kv, key }) => {
    const [first = '', second = ''] = key()
    const room = 2048 - String(first).length - String(second).length - 6
    await kv.set([first, second, 'x'.repeat(room)], 1)
    equal((await kv.get([first, second, 'x'.repeat(room)])).value, 1)
    await refused(() => kv.set([first, second, 'x'.repeat(room + 1)], 1), /2048/)
    await refused(() => kv.get([first, second, 'x'.repeat(room + 1)]), /2049/)
    await refused(() => kv.set([], 1), /empty/i)
    await kv.set(key('v'), new Uint8Array(65_536))
    // A quote counts as one byte, although JSON would escape it.
    for (const each of ['x', '"']) await kv.set(key('v'), each.repeat(65_000))
    equal((await kv.get(key('v'))).value, '"'.repeat(65_000))
    await refused(() => kv.set(key('v'), new Uint8Array(65_537)), /65536/)
    await refused(() => kv.set(key('v'), 'x'.repeat(66_000)), /65536/)
    const eleven = Array.from({ length: 11 }, (_, n) => key(n))
    await refused(() => kv.getMany(eleven), /max 10/)
    await refused(() => kv.watch(eleven), /max 10/)
    await refused(() => kv.set(key('n', 2n ** 2040n), 1), /255/)
    await kv.set(key('n', 2n ** 2040n - 1n), 1)
  })

  claim(
    'a KV key with a part of a type that the port does not name is a TypeError',
    async ({ kv, key }) => {
      await refused(() => kv.set(key(Symbol('s')), 1))
      for (const part of [null, undefined, {}, [1], new Date()]) {
        await refused(() => kv.set(key(...([part] as unknown as string[])), 1))
      }
      await refused(() => kv.set('text' as unknown as string[], 1))
    },
  )

  claim('an unknown consistency or a malformed expiry is a TypeError', async ({ kv, key }) => {
    const consistency = 'weak' as 'strong'
    await refused(() => kv.get(key('a'), { consistency }), /strong/)
    await refused(() => kv.getMany([key('a')], { consistency }), /strong/)
    await refused(() => kv.list({ prefix: key() }, { consistency }).next(), /strong/)
    for (const expireIn of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      await refused(() => kv.set(key('a'), 1, { expireIn }), /expireIn/)
    }
  })

  claim('a KV entry exists until it expires', async ({ kv, key }) => {
    await kv.set(key('a'), 1, { expireIn: 60_000 })
    await kv.set(key('b'), 2, { expireIn: 2 ** 47 })
    const endless = { expireIn: Number.MAX_SAFE_INTEGER }
    await refused(() => kv.set(key('a'), 3, endless), /expireIn/)
    await pause(50)
    const values = await Array.fromAsync(kv.list({ prefix: key() }), ({ value }) => value)
    deepStrictEqual(values, [1, 2])
  })

  claim('a KV read some time after an entry expired does not return it', async ({ kv, key }) => {
    await kv.set(key('stays'), 1)
    const startedAt = performance.now()
    await kv.set(key('goes'), 1, { expireIn: 100 })
    const isGone = async () => (await kv.get(key('goes'))).value === null
    await eventually('the entry expires', isGone, 5000)
    ok(performance.now() - startedAt > 90, 'it was gone too early')
    equal((await kv.getMany([key('goes')]))[0]?.versionstamp, null)
    const names = await Array.fromAsync(kv.list({ prefix: key() }), (entry) => entry.key.at(-1))
    deepStrictEqual(names, ['stays'])
    const check = { key: key('goes'), versionstamp: null }
    equal((await kv.atomic().check(check).set(key('goes'), 2).commit()).ok, true)
  })

  claim('a KV list leaves out expired entries, however many they are', async ({ kv, key }) => {
    await kv.set(key('stays'), 'first')
    for (let n = 0; n < 400; n += 100) {
      const commit = kv.atomic()
      for (let each = n; each < n + 100; each++) commit.set(key(each), 1, { expireIn: 50 })
      await commit.commit()
    }
    const isGone = async () => (await kv.get(key(399))).value === null
    await eventually('the last one expires', isGone, 5000)
    for (let n = 0; n < 3; n++) {
      await kv.set(key('stays'), n)
      const names = await Array.fromAsync(kv.list({ prefix: key() }), (entry) => entry.key.at(-1))
      deepStrictEqual(names, ['stays'])
    }
  })

  claim('a later set of a KV entry replaces its expiry', async ({ kv, key }) => {
    await kv.set(key('set'), 1, { expireIn: 80 })
    await kv.set(key('longer'), 1, { expireIn: 80 })
    await kv.set(key('set'), 2)
    await kv.set(key('longer'), 2, { expireIn: 60_000 })
    await kv.set(key('shorter'), 1)
    await kv.set(key('shorter'), 2, { expireIn: 80 })
    const isGone = async () => (await kv.get(key('shorter'))).value === null
    await eventually('the other one expires', isGone, 5000)
    const row = await kv.getMany([key('set'), key('longer')])
    deepStrictEqual(
      row.map(({ value }) => value),
      [2, 2],
    )
  })

  claim(
    'closing settles the calls in flight, ends watches and refuses later calls',
    async ({ subject, key }) => {
      const kv = await subject.open()
      await kv.set(key('a'), 1)
      const watch = kv.watch([key('a')]).getReader()
      notEqual((await watch.read()).value, undefined)
      const more = watch.read()
      const list = kv.list({ prefix: key() })
      const inFlight = Array.from({ length: 20 }, (_, n) => [
        kv.get(key('a')),
        kv.set(key('b', n), 1),
        kv.atomic().sum(key('n'), 1n).commit(),
      ]).flat()
      const settled = Promise.allSettled([...inFlight, list.next()])
      kv.close()
      equal((await settled).length, 61)
      equal((await more).done, true)
      const calls = [
        () => kv.get(key('a')),
        () => kv.set(key('a'), 1),
        () => kv.atomic().commit(),
        () => kv.list({ prefix: key() }).next(),
        () =>
          kv
            .watch([key('a')])
            .getReader()
            .read(),
      ]
      for (const call of calls) await rejects(async () => await call(), Error)
    },
  )
}
