/** Tests of the promises that only the adapter in memory makes: bounds, and the cost of calls. */
import { describe, expect, test } from 'bun:test'
import type { Stored } from '../../../adapters/kv/kv-store.ts'
import type { MemoryOptions } from '../../../adapters/kv/memory.ts'
import { createKv } from '../../../adapters/kv/shape.ts'
import type { Kv } from '../../../src/ports/kv.ts'
import { until } from '../../support/servers/processes.ts'

export function kvMemory(openMemory: (options?: MemoryOptions) => Kv): void {
  describe('The store in memory', () => {
    const key = (...parts: (string | number)[]) => ['memory', ...parts]

    test('expired entries are dropped before entries that have not expired', async () => {
      const kv = openMemory({ entriesMax: 100 })
      await kv.set(key('oldest'), 'stays')
      for (let n = 0; n < 60; n++) await kv.set(key('brief', n), n, { expireIn: 10 })
      for (let n = 0; n < 30; n++) await kv.set(key(n), n, { expireIn: 10 })
      await Bun.sleep(15)
      for (let n = 0; n < 60; n++) await kv.set(key(`new-${n}`), n)
      expect((await kv.get(key('oldest'))).value).toBe('stays')
      kv.close()
    })

    test('a full memory KV drops the least recently used partition first', async () => {
      const kv = openMemory({ entriesMax: 10 })
      for (let n = 0; n < 50; n++) {
        await kv.set(key(n), n)
        expect((await kv.get(key(0))).value).toBe(0)
      }
      expect(await Array.fromAsync(kv.list({ prefix: key() }))).toHaveLength(10)
      kv.close()
    })

    test('the overhead of each partition counts against the bound of the memory KV', async () => {
      const kv = openMemory({ bytesMax: 100_000 })
      for (let n = 0; n < 1000; n++) await kv.set(key(n), n)
      const entries = await Array.fromAsync(kv.list({ prefix: key() }))
      expect(entries.length).toBeWithin(50, 110)
      for (const { key: each } of entries) await kv.delete(each)
      for (let n = 0; n < 50; n++) await kv.set(key(n), n)
      expect(await Array.fromAsync(kv.list({ prefix: key() }))).toHaveLength(50)
      kv.close()
    })

    test('a list or a commit costs the same with many partitions, and with a large one', async () => {
      const kv = openMemory()
      const partition = key('measured')
      /** The median, because the machine does other work, too. */
      const microsOf = async () => {
        const times: number[] = []
        for (let n = 0; n < 300; n++) {
          const startedAt = performance.now()
          await kv.set([...partition, n % 64], n)
          await Array.fromAsync(kv.list({ prefix: partition }, { reverse: true, limit: 5 }))
          times.push(performance.now() - startedAt)
        }
        return times.sort((x, y) => x - y)[150] ?? 0
      }
      await microsOf()
      const alone = await microsOf()
      for (let n = 0; n < 20_000; n++) await kv.set(key('large', n), n)
      for (let n = 0; n < 20_000; n++) await kv.set(key(n), n)
      expect((await microsOf()) / alone).toBeLessThan(10)
      kv.close()
    })
  })
}

/** Tests of `createKv`, which is the same for all stores, with stores that fail. */
export function kvShape(): void {
  test('a watch of a KV that fails ends with the error, and the KV can still be closed', async () => {
    let closed = 0
    const kv = createKv({
      read: () => {
        throw new Error('It is broken')
      },
      scan: () => ({ entries: [], more: false }),
      commit: () => undefined,
      listen(_, onChange) {
        onChange()
        return () => {}
      },
      close() {
        closed += 1
      },
    })
    const watch = kv.watch([['a']]).getReader()
    expect(watch.read()).rejects.toThrow('It is broken')
    await watch.closed.catch(() => {})
    kv.close()
    expect(closed).toBe(1)
  })
  test('a change that arrives while a KV watch reads its entries leads to another read', async () => {
    const reads: PromiseWithResolvers<Stored[]>[] = []
    let change = () => {}
    const kv = createKv({
      read() {
        const answer = Promise.withResolvers<Stored[]>()
        reads.push(answer)
        return answer.promise
      },
      scan: () => ({ entries: [], more: false }),
      commit: () => undefined,
      listen(_, onChange) {
        change = onChange
        onChange()
        return () => {}
      },
      close() {},
    })
    const answer = (at: number, versionstamp: string) =>
      reads[at]?.resolve([{ key: 'a', value: new TextEncoder().encode('jnull'), versionstamp }])
    const watch = kv.watch([['a']]).getReader()
    const first = watch.read()
    await until('it reads', () => reads.length === 1)
    change()
    answer(0, 'before')
    expect((await first).value?.[0].versionstamp).toBe('before')
    const second = watch.read()
    await until('it reads again', () => reads.length === 2)
    answer(1, 'after')
    expect((await second).value?.[0].versionstamp).toBe('after')
    kv.close()
  })
}
