/** The claims that Deno's own KV does not meet, with the reasons. */
import type { KvConformance } from './kv.ts'

export const denoConformance: Pick<KvConformance, 'skip'> = {
  skip: [
    {
      reason: 'Deno deletes expired entries once a minute',
      tests: [
        'a KV read some time after an entry expired does not return it',
        'a KV list leaves out expired entries, however many they are',
        'a later set of a KV entry replaces its expiry',
      ],
    },
    {
      reason: 'Deno stores every value that can be cloned',
      tests: ['a KV value of a type that the port does not name is a TypeError'],
    },
    {
      reason: 'Deno 2.9 throws, and keeps the changes before the failing one',
      tests: ['a commit with a sum of an entry that is no counter changes nothing'],
    },
    {
      reason: 'Deno keeps its data over a restart',
      tests: ['no KV read after a restart returns an entry from before the restart'],
    },
    {
      reason: 'Deno evicts nothing, and no other process can empty its KV',
      tests: [
        'no versionstamp is used again after a loss of all data',
        'no versionstamp is used again after an eviction',
        'the entries of a partition are evicted together',
      ],
    },
  ],
}
