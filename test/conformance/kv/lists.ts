/** Claims about lists, compared with a sorted array. */
import { deepStrictEqual, equal, rejects, throws } from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import type { Kv, KvKey, KvKeyPart, KvListOptions, KvListSelector } from '../../../src/ports/kv.ts'
import { type Claim, refused } from './claim.ts'

/**
 * A few different parts, so that keys share them, and values at which encodings are likely to fail.
 */
const part: fc.Arbitrary<KvKeyPart> = fc.oneof(
  fc.constantFrom(
    new Uint8Array(),
    new Uint8Array([0]),
    new Uint8Array([0, 255]),
    new Uint8Array([255]),
  ),
  fc.uint8Array({ maxLength: 3 }),
  fc.constantFrom('', '\0', '\0\xff', 'a', 'ab', 'é', '\uffff', '\u{10000}', '\ufeff'),
  fc.string({ unit: 'binary', maxLength: 3 }),
  fc.constantFrom(0n, 1n, -1n, 255n, 256n, -255n, -256n, 2n ** 64n - 1n, 2n ** 64n, -(2n ** 64n)),
  fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }),
  fc.constantFrom(0, -0, 1, -1, 1.5, Number.NaN, Infinity, -Infinity, Number.MIN_VALUE, 2 ** 53),
  fc.double(),
  fc.boolean(),
)
const tail = fc.array(part, { minLength: 1, maxLength: 3 })

const rank = (each: KvKeyPart) => {
  if (each instanceof Uint8Array) return 0
  if (typeof each === 'boolean') return each ? 5 : 4
  return ['string', 'bigint', 'number'].indexOf(typeof each) + 1
}

/** The order that the port promises, computed in another way than in the adapters. */
export function compareParts(a: KvKeyPart, b: KvKeyPart): number {
  if (rank(a) !== rank(b)) return rank(a) - rank(b)
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b)
  if (typeof a === 'string' && typeof b === 'string') {
    return Buffer.compare(Buffer.from(a), Buffer.from(b))
  }
  if (typeof a === 'number' && typeof b === 'number') {
    if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b))
    if (a === 0 && b === 0) return Number(Object.is(b, -0)) - Number(Object.is(a, -0))
  }
  if (typeof a === 'symbol' || typeof b === 'symbol') throw new TypeError('A symbol has no order')
  return a < b ? -1 : Number(a > b)
}

export function compareKeys(a: KvKey, b: KvKey): number {
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    const order = compareParts(a[at] ?? '', b[at] ?? '')
    if (order !== 0) return order
  }
  return a.length - b.length
}

const keysOf = (kv: Kv, selector: KvListSelector, options?: KvListOptions) =>
  Array.fromAsync(kv.list(selector, options), ({ key }) => key)

/** Reads a whole list page by page. Each page continues from the cursor of the one before. */
async function pagesOf(kv: Kv, selector: KvListSelector, options: KvListOptions, size: number) {
  const keys: KvKey[] = []
  for (let cursor = ''; ; ) {
    const page = kv.list(selector, { ...options, limit: size, cursor })
    const before = keys.length
    for await (const { key } of page) keys.push(key)
    const count = keys.length - before
    // The cursor is that of the page's last entry, or empty at the end.
    cursor = page.cursor
    equal(cursor === '', count < size)
    if (count < size) return keys
  }
}

export function kvLists(claim: Claim): void {
  claim(
    'a list returns keys of all types in order, and as they were written',
    async ({ kv, key }) => {
      let pass = 0
      const all = fc.asyncProperty(fc.array(tail, { maxLength: 25 }), async (tails) => {
        pass += 1
        const keys = tails.map((each) => key(pass, ...each)).sort(compareKeys)
        const unique = keys.filter(
          (each, at) => at === 0 || compareKeys(keys[at - 1] ?? [], each) !== 0,
        )
        const shuffled = [...unique].sort(() => Math.random() - 0.5)
        for (let at = 0; at < shuffled.length; at += 10) {
          const commit = kv.atomic()
          for (const each of shuffled.slice(at, at + 10)) commit.set(each, each.length)
          await commit.commit()
        }
        deepStrictEqual(await keysOf(kv, { prefix: key(pass) }), unique)
        deepStrictEqual(
          await keysOf(kv, { prefix: key(pass) }, { reverse: true }),
          unique.reverse(),
        )
      })
      await fc.assert(all, { numRuns: 60 })
    },
  )

  claim(
    'selectors, limits, directions and cursors of a list match those of a sorted array',
    async ({ kv, key }) => {
      const tails = fc
        .sample(tail, { numRuns: 60, seed: 7 })
        .flatMap((each) => [each, [...each, 'below'], [...each, 1n]])
      const stored = tails
        .map((each) => key('in', ...each))
        .sort(compareKeys)
        .filter((each, at, all) => at === 0 || compareKeys(all[at - 1] ?? [], each) !== 0)
      for (let at = 0; at < stored.length; at += 50) {
        const commit = kv.atomic()
        for (const each of stored.slice(at, at + 50)) commit.set(each, 1)
        await commit.commit()
      }
      // Neighbouring keys, which no selector may return.
      for (const each of [key('in'), key('im', 'x'), key('io', 'x')]) await kv.set(each, 1)

      const someTail = fc.constantFrom(...tails)
      const kind = fc.constantFrom('prefix', 'start', 'end', 'both')
      const selection = fc.record({ kind, a: someTail, b: someTail, cut: fc.boolean() })
      const option = fc.record({
        reverse: fc.boolean(),
        limit: fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined }),
        batchSize: fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined }),
        page: fc.integer({ min: 1, max: 9 }),
      })
      const all = fc.asyncProperty(selection, option, async (selected, { page, ...options }) => {
        const [low = [], high = []] = [selected.a, selected.b]
          .map((each) => key('in', ...each))
          .sort(compareKeys)
        const prefix = selected.cut ? key('in', ...selected.a.slice(0, 1)) : key('in')
        const isWithin = (each: KvKey) => compareKeys(prefix, each.slice(0, prefix.length)) === 0
        const inPrefix = (each: KvKey) => each.length > prefix.length && isWithin(each)
        const from = (each: KvKey) => compareKeys(each, low) >= 0
        const until = (each: KvKey) => compareKeys(each, high) < 0
        const [selector, test]: [KvListSelector, (each: KvKey) => boolean] =
          selected.kind === 'start' && inPrefix(low)
            ? [{ prefix, start: low }, (each) => inPrefix(each) && from(each)]
            : selected.kind === 'end' && inPrefix(high)
              ? [{ prefix, end: high }, (each) => inPrefix(each) && until(each)]
              : selected.kind === 'both'
                ? [{ start: low, end: high }, (each) => from(each) && until(each)]
                : [{ prefix }, inPrefix]
        const expected = stored.filter(test)
        if (options.reverse) expected.reverse()
        const listOptions = Object.fromEntries(
          Object.entries(options).filter(([, value]) => value !== undefined),
        )
        const { reverse } = options
        deepStrictEqual(await keysOf(kv, selector, listOptions), expected.slice(0, options.limit))
        deepStrictEqual(await pagesOf(kv, selector, { reverse }, page), expected)
      })
      await fc.assert(all, { numRuns: 40 })
    },
  )

  claim('a reverse KV list returns the last key and the keys before it', async ({ kv, key }) => {
    for (let n = 0; n < 8; n++) await kv.set(key(n), n)
    await kv.set(key(true), 'head')
    const list = kv.list({ prefix: key() }, { reverse: true, limit: 4 })
    deepStrictEqual(await Array.fromAsync(list, ({ value }) => value), ['head', 7, 6, 5])
  })

  claim('the iterator of a KV list has a cursor after its first entry', async ({ kv, key }) => {
    await kv.set(key('a'), 1)
    const list = kv.list({ prefix: key() })
    throws(() => list.cursor, Error)
    equal((await list.next()).done, false)
    equal(typeof list.cursor, 'string')
    deepStrictEqual(await list.next(), { done: true, value: undefined })
    equal(list.cursor, '')
    deepStrictEqual(await list.next(), { done: true, value: undefined })
  })

  claim('a contradictory selector or option is refused', async ({ kv, key }) => {
    const list = (selector: object, options?: KvListOptions) =>
      refused(() => keysOf(kv, selector as KvListSelector, options))
    await list({ prefix: key('a'), start: key('a', 'b'), end: key('a', 'c') })
    await list({ start: key('a') })
    await list({ end: key('a') })
    await list({})
    await list({ prefix: key('a'), start: key('b', 'c') })
    await list({ prefix: key('a'), start: key('a') })
    await list({ prefix: key('a'), end: key('b') })
    await list({ start: key('b'), end: key('a') })
    await list({ prefix: key() }, { cursor: '!!!' })
    await list({ prefix: key() }, { batchSize: 1001 })
  })

  claim(
    'a limit or a batch size that is not a positive integer is refused',
    async ({ kv, key }) => {
      for (const size of [0, -1, 1.5, Number.NaN]) {
        for (const options of [{ limit: size }, { batchSize: size }]) {
          await rejects(async () => await keysOf(kv, { prefix: key() }, options), Error)
        }
      }
    },
  )

  claim('a KV list that fits in one batch has the entries of one moment', async ({ kv, key }) => {
    await kv.set(key('at', 0), 'token')
    let isOver = false
    const move = async () => {
      // Exactly one entry has the token at any time. It moves in the direction of the list.
      for (let n = 0; !isOver; n++) {
        const commit = kv.atomic().delete(key('at', n % 50))
        await commit.set(key('at', (n + 1) % 50), 'token').commit()
      }
    }
    const moving = move()
    for (let n = 0; n < 100; n++) {
      equal((await keysOf(kv, { prefix: key('at') }, { reverse: n % 2 === 0 })).length, 1)
    }
    isOver = true
    await moving
  })

  claim('a KV list returns large entries completely', async ({ kv, key }) => {
    const large = new Uint8Array(60_000).fill(7)
    for (let n = 0; n < 120; n += 10) {
      const commit = kv.atomic()
      for (let each = n; each < n + 10; each++) commit.set(key(each), large)
      equal((await commit.commit()).ok, true)
    }
    const sizes = await Array.fromAsync(
      kv.list<Uint8Array>({ prefix: key() }, { batchSize: 1000 }),
      ({ value }) => value.length,
    )
    deepStrictEqual(sizes, Array(120).fill(60_000))
  })

  claim('one KV list returns entries of several partitions', async ({ kv, key }) => {
    const [, name = ''] = key()
    const keys = [[name], [name, 'a'], [name, 'a', 1], [name, 'b', 1], [name, 'c']]
    for (const each of keys) await kv.set(each, 1)
    deepStrictEqual(await keysOf(kv, { prefix: [name] }), keys.slice(1))
    deepStrictEqual(await keysOf(kv, { start: [name], end: [name, 'b', 2] }), keys.slice(0, 4))
    const reverse = await keysOf(kv, { prefix: [name] }, { reverse: true, batchSize: 1 })
    deepStrictEqual(reverse, keys.slice(1).reverse())
  })
}
