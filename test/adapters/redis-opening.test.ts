/** The first calls of a KV on Redis, made before there is a connection. */
import { describe, expect, test } from 'bun:test'
import { openKv } from '../../adapters/open.ts'
import { KvError } from '../../src/ports/kv.ts'
import { startProxy } from '../support/servers/proxy.ts'
import { redisMissing, startRedis } from '../support/servers/redis.ts'

const deadlineMs = 2000

describe.skipIf(redisMissing() !== undefined)('a KV on Redis that was just opened', () => {
  const failed = (call: Promise<unknown>) =>
    call.then(
      () => 'the call succeeded',
      (thrown: unknown) => (thrown instanceof KvError ? thrown.outcome : String(thrown)),
    )

  test('the first calls wait for the first connection instead of being refused', async () => {
    await using redis = await startRedis()
    for (let round = 0; round < 5; round += 1) {
      const { kv } = await openKv(redis.url, { deadlineMs })
      const key = ['opening', 'one', round]
      await Promise.all([kv.set(key, 'first'), kv.get(['opening', 'two', round])])
      expect((await kv.get(key)).value).toBe('first')
      kv.close()
    }
  }, 30_000)

  test('the first call is refused as soon as the first connection fails', async () => {
    const startedAt = performance.now()
    const { kv } = await openKv('redis://127.0.0.1:1', { deadlineMs: 20_000 })
    expect(await failed(kv.get(['opening', 'one']))).toBe('not-sent')
    expect(await failed(kv.get(['opening', 'one']))).toBe('not-sent')
    expect(performance.now() - startedAt).toBeLessThan(10_000)
    kv.close()
  }, 30_000)

  test('the first call of a server that never answers fails within its deadline', async () => {
    await using redis = await startRedis()
    await using proxy = await startProxy(redis.port)
    proxy.freeze()
    const { kv } = await openKv(`redis://127.0.0.1:${proxy.port}`, { deadlineMs: 200 })
    const startedAt = performance.now()
    expect(await failed(kv.get(['opening', 'one']))).toMatch(/^(not-sent|unknown)$/)
    expect(performance.now() - startedAt).toBeLessThan(1900)
    const secondAt = performance.now()
    expect(await failed(kv.get(['opening', 'one']))).toBe('not-sent')
    expect(performance.now() - secondAt).toBeLessThan(150)
    kv.close()
  }, 30_000)

  test('a KV that is closed while its first call waits refuses that call', async () => {
    await using redis = await startRedis()
    await using proxy = await startProxy(redis.port)
    proxy.freeze()
    const { kv } = await openKv(`redis://127.0.0.1:${proxy.port}`, { deadlineMs: 20_000 })
    const first = failed(kv.get(['opening', 'one']))
    kv.close()
    expect(await first).toMatch(/^(not-sent|unknown)$/)
  }, 30_000)
})
