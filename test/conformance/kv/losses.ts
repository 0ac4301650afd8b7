/** Claims about lost data: no versionstamp is used again, and partitions are lost as a whole. */
import { deepStrictEqual, equal, ok } from 'node:assert/strict'
import type { Kv, KvKey } from '../../../src/ports/kv.ts'
import type { Claim } from './claim.ts'

/** Sets and deletes a key several times. Returns every versionstamp that it had. */
async function stampsOf(kv: Kv, key: KvKey, count: number): Promise<string[]> {
  const stamps: string[] = []
  for (let n = 0; n < count; n++) {
    stamps.push((await kv.set(key, n)).versionstamp)
    if (n % 5 === 4) await kv.delete(key)
  }
  return stamps
}

const areNew = (stamps: readonly string[]) => equal(new Set(stamps).size, stamps.length)

export function kvLosses(claim: Claim): void {
  claim(
    'the versionstamps of a key grow with every commit, also after a delete',
    async ({ kv, key }) => {
      const stamps = await stampsOf(kv, key('a'), 50)
      deepStrictEqual(stamps, [...stamps].sort())
      areNew(stamps)
      const results = await Promise.all(Array.from({ length: 100 }, () => kv.set(key('b'), 1)))
      areNew(results.map(({ versionstamp }) => versionstamp))
      const last = results.map(({ versionstamp }) => versionstamp).sort()
      equal((await kv.get(key('b'))).versionstamp, last.at(-1))
    },
  )

  claim('no versionstamp is used again after a loss of all data', async ({ kv, subject, key }) => {
    const stamps: string[] = []
    for (let n = 0; n < 5; n++) {
      stamps.push(...(await stampsOf(kv, key('a'), 3)))
      await subject.wipe?.()
      equal((await kv.get(key('a'))).versionstamp, null)
      deepStrictEqual(await Array.fromAsync(kv.list({ prefix: key() })), [])
    }
    areNew(stamps)
  })

  claim('no versionstamp is used again after an eviction', async ({ kv, subject, key }) => {
    const stamps = await stampsOf(kv, key('a'), 3)
    await subject.evict?.(kv, key('a'))
    stamps.push(...(await stampsOf(kv, key('a'), 3)))
    areNew(stamps)
  })

  claim('the entries of a partition are evicted together', async ({ kv, subject, key }) => {
    const numbers = Array.from({ length: 20 }, (_, n) => n)
    const partition = (p: number) => ['conformance', `evicted-${p}`]
    for (let p = 0; p < 40; p++) {
      const commit = kv.atomic().set(partition(p), 'head')
      for (const n of numbers) commit.set([...partition(p), n], new Uint8Array(400))
      await commit.commit()
    }
    await kv.set(key('a'), 1)
    await subject.evict?.(kv, partition(0))
    let evicted = 0
    for (let p = 0; p < 40; p++) {
      const entries = await Array.fromAsync(kv.list({ prefix: partition(p) }))
      const head = await kv.get(partition(p))
      ok(entries.length === (head.value === null ? 0 : numbers.length), `${entries.length} left`)
      if (head.value === null) evicted += 1
    }
    ok(evicted > 0)
  })

  claim('no versionstamp is used again after a restart', async ({ subject, key }) => {
    const stamps: string[] = []
    let kv = await subject.open()
    for (let n = 0; n < 3; n++) {
      stamps.push(...(await stampsOf(kv, key('a'), 3)))
      kv = (await subject.restart?.(kv)) ?? kv
    }
    kv.close()
    areNew(stamps)
  })

  claim(
    'no KV read after a restart returns an entry from before the restart',
    async ({ subject, key }) => {
      const before = await subject.open()
      await before.set(key('a'), 'old')
      const after = (await subject.restart?.(before)) ?? before
      equal((await after.get(key('a'))).value, null)
      deepStrictEqual(await Array.fromAsync(after.list({ prefix: key() })), [])
      const absent = { key: key('a'), versionstamp: null }
      equal((await after.atomic().check(absent).set(key('a'), 'new').commit()).ok, true)
      equal((await after.get(key('a'))).value, 'new')
      after.close()
    },
  )
}
