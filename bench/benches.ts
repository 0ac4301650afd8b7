/** The benches by name: what they are about, and their code, loaded when it is wanted. */
import type { Ledger } from './ledger.ts'
import type { BenchName } from './rows.ts'

export type Bench = {
  readonly about: string
  load(): Promise<(ledger: Ledger) => Promise<void>>
}

export const benches: Readonly<Record<BenchName, Bench>> = {
  record: {
    about: 'turns over HTTP beside pgbench (needs pgbench)',
    load: async () => (await import('./record.ts')).benchRecord,
  },
  load: {
    about: "the newest fifty over HTTP beside Redis' own list (needs redis-benchmark)",
    load: async () => (await import('./load.ts')).benchLoad,
  },
  growth: {
    about: 'a turn in a long conversation beside one in a short one',
    load: async () => (await import('./growth.ts')).benchGrowth,
  },
  live: {
    about: "a commit on its way to subscribers beside Redis, many sockets beside Bun's own",
    load: async () => (await import('./live.ts')).benchLive,
  },
}
