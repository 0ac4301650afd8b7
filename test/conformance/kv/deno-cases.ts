/** What Deno's own store does not promise, and why. */
import type { KvConformance } from './kv.ts'

export const denoConformance: Pick<KvConformance, 'skip'> = {
  skip: [
    {
      reason: 'Deno deletes what has expired once a minute',
      tests: [
        'an entry is gone some time after it expired, for every kind of read',
        'what has expired is in no list, however much it is',
        'what is set again or counted on no longer expires',
      ],
    },
    {
      reason: 'Deno stores whatever can be cloned',
      tests: ['a value the port does not name is a TypeError'],
    },
    {
      reason: 'Deno 2.9 throws, and keeps the changes before',
      tests: ['a commit that cannot count changes nothing else'],
    },
    {
      reason: 'Deno keeps its data over a restart',
      tests: ['nothing from before a restart is answered'],
    },
    {
      reason: 'Deno evicts nothing, and nobody else can empty it',
      tests: [
        'no versionstamp is used again after all data was lost',
        'no versionstamp is used again after an eviction',
        'a partition is evicted whole or not at all',
      ],
    },
  ],
}
