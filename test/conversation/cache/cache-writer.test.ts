/** CacheWriter: waiting updates, remembered heads, and the end of its work. */
import { describe, expect, test } from 'bun:test'
import { openKv } from '../../../adapters/open.ts'
import { CacheWriter } from '../../../src/conversation/cache/cache-writer.ts'
import { CacheEntries } from '../../../src/conversation/cache/entries.ts'
import { KvCache } from '../../../src/conversation/cache/kv-cache.ts'
import { type CacheUpdate, cacheRule } from '../../../src/conversation/cache/rule.ts'
import { kvKeys } from '../../../src/conversation/wire/kv-keys.ts'
import { createEvents } from '../../../src/events.ts'
import { type Kv, KvError } from '../../../src/ports/kv.ts'

const [tenant, id] = ['default', '0192f0c1-7c00-7000-8000-000000000001']

const megabyte = new Uint8Array(1_048_576)

const applied = (version: number, text = megabyte): CacheUpdate => ({
  afterVersion: version - 1,
  version,
  texts: new Map([[1, text]]),
})

describe('CacheWriter', () => {
  test('the bytes of waiting updates are counted right, however many commits merge into one', async () => {
    const dirty: number[] = []
    let release = Promise.withResolvers<undefined>()
    const entries = { apply: () => release.promise } as unknown as CacheEntries
    const writer = new CacheWriter({
      entries,
      onStored() {},
      isOpen: () => true,
      onAnswer() {},
      onFailure() {},
      onDirty: () => dirty.push(1),
    })
    for (let pass = 0; pass < 20; pass += 1) {
      // One write is in flight. These commits change the same message, in odd passes with gaps.
      for (let step = 1; step <= 10; step += 1)
        writer.committed(tenant, id, applied(pass * 20 + step * (pass % 2 === 0 ? 1 : 2)))
      expect(dirty).toEqual([])
      const idle = writer.drained()
      release.resolve(undefined)
      await idle
      // Twice, because two writes found that others were faster; never because too much waited.
      expect(dirty.splice(0)).toHaveLength(2)
      release = Promise.withResolvers()
    }
  })

  test('a cache update that looks outdated is compared with the stored head, not with the remembered one', async () => {
    const { kv } = await openKv('memory:')
    const entries = new CacheEntries({ kv, rule: cacheRule, ttlMs: 60_000 })
    const window = (version: number) => ({ version, from: 1, to: 0, texts: [], bytes: 0 })
    const fill = async (version: number) => {
      const { headEntry } = await entries.read(tenant, id, 1)
      return headEntry && (await entries.fill(tenant, id, headEntry, window(version)))
    }
    const before = await fill(40)
    // The database went back, and another node dropped the window and made a new one.
    await entries.forget(tenant, id)
    await fill(30)
    const done = await entries.apply(tenant, id, applied(31, new Uint8Array(1)), before)
    expect(done?.headEntry?.head).toMatchObject({ full: true, version: 31, to: 1 })
    expect(await kv.get(kvKeys.head(tenant, id))).toMatchObject({
      versionstamp: done?.headEntry?.versionstamp,
    })
    kv.close()
  })
})

describe('a disposed cache', () => {
  test('a disposed cache calls its KV no more, although a conversation is still dirty', async () => {
    const { kv } = await openKv('memory:')
    let calls = 0
    const away: Kv = {
      ...kv,
      get() {
        calls += 1
        return Promise.reject(new KvError('unknown', 'away'))
      },
    }
    const cache = new KvCache({
      kv: away,
      isShared: true,
      events: createEvents(() => {}),
      ttlSeconds: 60,
      deadlineMs: 15,
      readyBytesMax: 1_000_000,
    })
    cache.effect.committed({
      tenant,
      conversationId: id,
      from: 1,
      version: 2,
      messages: [],
      touched: 'conversation',
    })
    await cache[Symbol.asyncDispose]()
    expect(calls).toBe(1)
    await Bun.sleep(350)
    expect(calls).toBe(1)
    kv.close()
  })
})
