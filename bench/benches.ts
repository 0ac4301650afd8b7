/** The benches by name: what they are about, and their code, loaded when it is wanted. */
import type { Ledger } from './report/ledger.ts'
import type { BenchName } from './report/rows.ts'

export type Bench = {
  readonly about: string
  load(): Promise<(ledger: Ledger) => Promise<void>>
}

export const benches: Readonly<Record<BenchName, Bench>> = {
  record: {
    about: 'turns over HTTP beside pgbench (needs pgbench)',
    load: async () => (await import('./measures/record.ts')).benchRecord,
  },
  load: {
    about: "the newest fifty over HTTP beside Redis' own list (needs redis-benchmark)",
    load: async () => (await import('./measures/load.ts')).benchLoad,
  },
  growth: {
    about: 'a turn in a long conversation beside one in a short one',
    load: async () => (await import('./measures/growth.ts')).benchGrowth,
  },
  live: {
    about: "a commit on its way to subscribers beside Redis, many sockets beside Bun's own",
    load: async () => (await import('./live/live.ts')).benchLive,
  },
  peers: {
    about:
      'record and load beside @mastra/pg and LangChain in process (installs them in bench/.peers)',
    load: async () => (await import('./baselines/peers.ts')).benchPeers,
  },
  reference: {
    about: 'record at 1,000 messages of history beside the reference algorithm (needs --reference)',
    load: async () => (await import('./measures/reference.ts')).benchReference,
  },
  embedded: {
    about: 'record on the embedded database beside bare PGlite',
    load: async () => (await import('./measures/embedded.ts')).benchEmbedded,
  },
  start: {
    about: 'from the start of the process until it is ready',
    load: async () => (await import('./measures/start.ts')).benchStart,
  },
  memory: {
    about: 'resident memory of a service that does nothing',
    load: async () => (await import('./measures/memory.ts')).benchMemory,
  },
}
