/** What the cache does for commits off everybody's path: what it counts, gives up, and leaves behind. */
import { describe, expect, test } from 'bun:test'
import type { CacheEntries } from '../../src/conversation/cache-entries.ts'
import type { Applied } from '../../src/conversation/cache-rule.ts'
import { createCacheWriter } from '../../src/conversation/cache-writer.ts'

const [tenant, id] = ['default', '0192f0c1-7c00-7000-8000-000000000001']

const megabyte = new Uint8Array(1_048_576)

const applied = (version: number, text = megabyte): Applied => ({
  from: version - 1,
  version,
  texts: new Map([[1, text]]),
})

describe('the writer of the cache', () => {
  test('counts what waits, however often commits are folded into it', async () => {
    const dirty: number[] = []
    let release = Promise.withResolvers<undefined>()
    const entries = { apply: () => release.promise } as unknown as CacheEntries
    const writer = createCacheWriter({
      entries,
      onStored() {},
      isOpen: () => true,
      onAnswer() {},
      onFailure() {},
      onDirty: () => dirty.push(1),
    })
    for (let round = 0; round < 20; round += 1) {
      // One is under way, and each of these changes the same message, or does not follow.
      for (let step = 1; step <= 10; step += 1)
        writer.committed(tenant, id, applied(round * 20 + step * (round % 2 === 0 ? 1 : 2)))
      expect(dirty).toEqual([])
      const idle = writer.drained()
      release.resolve(undefined)
      await idle
      // The store's answer was that others were faster, twice: not that there was too much.
      expect(dirty.splice(0)).toHaveLength(2)
      release = Promise.withResolvers()
    }
  })
})
