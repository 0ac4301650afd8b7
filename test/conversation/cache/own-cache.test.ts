/** OwnCache: its windows, their lifetime and their size. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { Cache } from '../../../src/conversation/cache/cache.ts'
import { OwnCache } from '../../../src/conversation/cache/own-cache.ts'
import { windowAfter } from '../../../src/conversation/cache/rule.ts'
import { fitted, windowBounds, windowOf } from '../../../src/conversation/cache/window.ts'
import type { Message } from '../../../src/conversation/wire/schemas.ts'
import type { Commit } from '../../../src/conversation/writing/effects.ts'
import { createEvents } from '../../../src/events.ts'
import { plainMessage } from '../../support/message.ts'

const tenant = 'default'
const idOf = (n: number) => `0192f0c1-7c00-7000-8000-${String(n).padStart(12, '0')}`

const messageAt = (conversation: number, seq: number, version: number): Message =>
  plainMessage(idOf(conversation), { seq, version, text: 'x'.repeat(1000) })

const commitAt = (conversation: number, seq: number): Commit => ({
  tenant,
  conversationId: idOf(conversation),
  from: seq,
  version: seq + 1,
  messages: [messageAt(conversation, seq, seq + 1)],
  touched: 'messages',
})

const openCache = (bounds: { ttlSeconds?: number; memoryBytesMax?: number } = {}): Cache =>
  new OwnCache({
    events: createEvents(() => {}),
    ttlSeconds: 60,
    memoryBytesMax: 1_000_000,
    readyBytesMax: 0,
    ...bounds,
  })

async function fill(cache: Cache, conversation: number, messages: number) {
  const id = idOf(conversation)
  const found = await cache.read(tenant, id, 64)
  if (found?.headEntry === undefined) throw new Error('no head was left')
  const all = Array.from({ length: messages }, (_, n) => messageAt(conversation, n + 1, n + 2))
  await cache.fill(tenant, id, found.headEntry, windowOf(messages + 1, messages, all))
}

describe('OwnCache', () => {
  test('a commit of a conversation without readers leaves nothing in the cache', async () => {
    const cache = openCache()
    cache.effect.committed(commitAt(1, 1))
    expect(cache.readyWindow(tenant, idOf(1))).toBeUndefined()
    expect(await cache.version(tenant, idOf(1))).toBe(0)
  })

  test('a commit extends a cached window that a reader has filled', async () => {
    const cache = openCache()
    await fill(cache, 1, 3)
    cache.effect.committed(commitAt(1, 4))
    const ready = cache.readyWindow(tenant, idOf(1))
    expect(ready).toMatchObject({ isStored: true, window: { version: 5, from: 1, to: 4 } })
    expect(await cache.version(tenant, idOf(1))).toBe(5)
  })

  test('a cached window without commits for ttlSeconds expires', async () => {
    const cache = openCache({ ttlSeconds: 0.05 })
    await fill(cache, 1, 3)
    expect(cache.readyWindow(tenant, idOf(1))).toBeDefined()
    const until = performance.now() + 60
    while (performance.now() < until) await new Promise((resolve) => setImmediate(resolve))
    expect(cache.readyWindow(tenant, idOf(1))).toBeUndefined()
    expect(await cache.version(tenant, idOf(1))).toBe(0)
  })

  test('a full cache drops the least recently read conversation', async () => {
    const bytesOfOne = 2 * windowOf(2, 1, [messageAt(1, 1, 2)]).bytes + 1200
    const cache = openCache({ memoryBytesMax: 3 * bytesOfOne })
    for (const conversation of [1, 2, 3]) await fill(cache, conversation, 1)
    expect(cache.readyWindow(tenant, idOf(1))).toBeDefined()
    await fill(cache, 4, 1)
    const isKept = [1, 2, 3, 4].map((n) => cache.readyWindow(tenant, idOf(n)) !== undefined)
    expect(isKept).toEqual([true, false, true, true])
  })

  test('a cached window larger than the whole cache is not kept, and the other windows stay', async () => {
    const cache = openCache({ memoryBytesMax: 10_000 })
    await fill(cache, 1, 1)
    await fill(cache, 2, 10)
    expect(cache.readyWindow(tenant, idOf(2))).toBeUndefined()
    expect(cache.readyWindow(tenant, idOf(1))).toBeDefined()
  })

  test('a snapshot is cached only if it has all commits since its reader began', async () => {
    for (const isBehind of [false, true]) {
      const cache = openCache()
      const found = await cache.read(tenant, idOf(1), 64)
      if (found?.headEntry === undefined) throw new Error('no head was left')
      cache.effect.committed(commitAt(1, 1))
      cache.effect.committed(commitAt(1, 2))
      const all = [messageAt(1, 1, 2), messageAt(1, 2, 3)]
      const snapshot = isBehind ? windowOf(2, 1, all.slice(0, 1)) : windowOf(3, 2, all)
      await cache.fill(tenant, idOf(1), found.headEntry, snapshot)
      expect(await cache.version(tenant, idOf(1))).toBe(isBehind ? 0 : 3)
    }
  })
})

test('a cached window extended by a commit equals a window made of all messages', () => {
  const size = fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 1, max: 30_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 55_000, max: windowBounds.messageBytes + 500 }) },
  )
  const texts = (max: number) =>
    fc.array(size, { maxLength: max }).map((sizes) => sizes.map((bytes) => new Uint8Array(bytes)))
  fc.assert(
    fc.property(texts(80), texts(5), fc.nat(3), (before, added, touched) => {
      const window = fitted(1, before.length, before)
      // Some added messages replace earlier ones.
      const first = Math.max(1, before.length + 1 - touched)
      const all = [...before]
      for (const [index, text] of added.entries()) all[first - 1 + index] = text
      const applied = new Map(added.map((text, index) => [first + index, text]))
      const after = windowAfter(window, { afterVersion: 1, version: 2, texts: applied })
      const whole = fitted(2, all.length, all.slice(window.from - 1))
      expect(after).toEqual(whole)
    }),
    { numRuns: 500 },
  )
})
