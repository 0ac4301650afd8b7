/** The benches by name: one line about each, and its code, which is loaded when the bench runs. */
import type { Ledger } from './report/ledger.ts'
import type { BenchName } from './report/rows.ts'

export type Bench = {
  readonly about: string
  load(): Promise<(ledger: Ledger) => Promise<void>>
}

export const benches: Readonly<Record<BenchName, Bench>> = {
  record: {
    about: 'recording turns over HTTP, against pgbench (needs pgbench)',
    load: async () => (await import('./measures/record.ts')).benchRecord,
  },
  load: {
    about:
      'reading the newest 50 messages over HTTP, against LRANGE of Redis (needs redis-benchmark)',
    load: async () => (await import('./measures/load.ts')).benchLoad,
  },
  growth: {
    about: 'a turn in a long conversation, against one in a short conversation',
    load: async () => (await import('./measures/growth.ts')).benchGrowth,
  },
  live: {
    about: "live delivery against Redis publish, and thousands of sockets against Bun's own",
    load: async () => (await import('./live/live.ts')).benchLive,
  },
  peers: {
    about:
      'record and load, against @mastra/pg and LangChain in process (installs them in bench/.peers)',
    load: async () => (await import('./baselines/peers.ts')).benchPeers,
  },
  reference: {
    about: 'record at 1,000 messages of history, against another algorithm (needs BENCH_REFERENCE)',
    load: async () => (await import('./measures/reference.ts')).benchReference,
  },
  embedded: {
    about: 'record on the embedded database, against bare PGlite',
    load: async () => (await import('./measures/embedded.ts')).benchEmbedded,
  },
  start: {
    about: 'seconds from the start of the process until it is ready',
    load: async () => (await import('./measures/start.ts')).benchStart,
  },
  memory: {
    about: 'resident memory of an idle service',
    load: async () => (await import('./measures/memory.ts')).benchMemory,
  },
}
