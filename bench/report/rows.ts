/** The one table of all measurements, their baselines and their aims. */
import type { Row } from './comparison.ts'

const five = "pgbench's five statements"
const one = "pgbench's one statement"
const mastra = '@mastra/pg in process'
const langchain = 'LangChain in process'

const ratio = (bound: number) => ({ of: 'ratio', bound }) as const
const figure = (bound: number) => ({ of: 'ours', bound }) as const
const turns = { unit: 'turns/s', better: 'more' } as const
const loads = { unit: 'loads/s', better: 'more' } as const
const wait = { unit: 'ms', better: 'less' } as const

/** Rows by bench, in the order in which they run and are reported. */
export const rowsByBench = {
  record: {
    'record-32': {
      name: 'record, 32 connections',
      against: `${five}, 32 clients`,
      ...turns,
      aim: ratio(3),
    },
    'record-128': {
      name: 'record, 128 connections',
      against: `${five}, 128 clients`,
      ...turns,
      aim: ratio(5),
    },
    'record-latency': {
      name: 'record, 1 connection, median wait',
      against: `${one}, 1 client`,
      ...wait,
      aim: ratio(1.5),
    },
    'record-1': { name: 'record, 1 connection', against: `${five}, 1 client`, ...turns },
    'record-8': { name: 'record, 8 connections', against: `${five}, 8 clients`, ...turns },
    'record-one-32': { name: 'record, 32 connections', against: `${one}, 32 clients`, ...turns },
    'record-bare-32': {
      name: 'record, 32 connections',
      against: 'a bare Bun server that echoes the turn',
      ...turns,
    },
  },
  load: {
    'load-strong-32': {
      name: 'last 50, strong, 32 connections',
      against: 'redis-benchmark LRANGE of the same, 32 clients',
      ...loads,
      aim: ratio(0.6),
    },
    'load-eventual-32': {
      name: 'last 50, eventual, 32 connections',
      against: 'redis-benchmark LRANGE of the same, 32 clients',
      ...loads,
      aim: ratio(0.6),
    },
    'load-strong-128': {
      name: 'last 50, strong, 128 connections',
      against: 'redis-benchmark LRANGE of the same, 128 clients',
      ...loads,
      aim: ratio(0.75),
    },
    'load-eventual-128': {
      name: 'last 50, eventual, 128 connections',
      against: 'redis-benchmark LRANGE of the same, 128 clients',
      ...loads,
      aim: ratio(0.75),
    },
    'load-bare-32': {
      name: 'last 50, strong, 32 connections',
      against: 'a bare Bun server that sends as many bytes',
      ...loads,
    },
  },
  growth: {
    'growth-time': {
      name: 'a turn at 100,000 messages',
      against: 'one at 10',
      unit: 'ms/turn',
      better: 'less',
      aim: ratio(1.1),
    },
    'growth-bytes': {
      name: 'bytes to Redis of a turn at 100,000 messages',
      against: 'one at 10',
      unit: 'bytes/turn',
      better: 'less',
      aim: ratio(1.1),
    },
    'growth-time-1000': {
      name: 'a turn at 1,000 messages',
      against: 'one at 10',
      unit: 'ms/turn',
      better: 'less',
    },
    'growth-bytes-1000': {
      name: 'bytes to Redis of a turn at 1,000 messages',
      against: 'one at 10',
      unit: 'bytes/turn',
      better: 'less',
    },
  },
  live: {
    'live-frame': {
      name: 'server CPU of a delivered frame, 1,000 sockets',
      against: "Bun's bare publish",
      unit: 'us/frame',
      better: 'less',
      aim: ratio(1.15),
    },
    'live-here': {
      name: 'commit to a subscriber here, p50',
      against: 'a Redis publish',
      ...wait,
    },
    'live-elsewhere': {
      name: 'commit to a subscriber elsewhere, p50',
      against: 'publish + 3 GET + changes',
      ...wait,
    },
    'live-redis-down': {
      name: 'commit to a subscriber elsewhere, Redis down, p99',
      against: 'the poll interval + 50 ms',
      ...wait,
      aim: ratio(1),
    },
    'live-memory-shared': {
      name: 'memory of an idle subscriber, 8,000 more of 50 conversations',
      against: 'a bare socket',
      unit: 'bytes/socket',
      better: 'less',
    },
    'live-memory-own': {
      name: 'memory of an idle subscriber, 8,000 more of 10,000 conversations',
      against: 'a bare socket',
      unit: 'bytes/socket',
      better: 'less',
    },
    'live-resume': {
      name: '5,000 sockets resume 50 conversations',
      against: 'bare sockets that get a frame',
      ...wait,
    },
  },
  peers: {
    'peers-record-mastra': {
      name: 'record, 32 connections',
      against: `${mastra}, 32 callers`,
      ...turns,
      aim: ratio(4),
    },
    'peers-record-langchain': {
      name: 'record, 32 connections',
      against: `${langchain}, 32 callers, index added`,
      ...turns,
      aim: ratio(2),
    },
    'peers-load-mastra': {
      name: 'last 50 of 1,000, strong, 32 connections',
      against: `${mastra}, 32 callers, as its own recall asks`,
      ...loads,
      aim: ratio(15),
    },
    'peers-load-langchain': {
      name: 'last 50 of 1,000, strong, 32 connections',
      against: `${langchain}, 32 callers, index added`,
      ...loads,
      aim: ratio(40),
    },
    'peers-load-mastra-lean': {
      name: 'last 50 of 1,000, strong, 32 connections',
      against: `${mastra}, 32 callers, without the count of all`,
      ...loads,
    },
    'peers-record-langchain-bare': {
      name: 'record, 32 connections',
      against: `${langchain}, 32 callers, as shipped`,
      ...turns,
    },
    'peers-load-langchain-bare': {
      name: 'last 50 of 1,000, strong, 32 connections',
      against: `${langchain}, 32 callers, as shipped`,
      ...loads,
    },
  },
  reference: {
    'reference-1000': {
      name: 'record at 1,000 messages of history, 32 connections',
      against: 'the reference algorithm, 32 writers',
      ...turns,
      aim: ratio(50),
    },
  },
  embedded: {
    'embedded-1': {
      name: 'embedded: record, 1 connection',
      against: 'bare PGlite, the same statement, one after the other',
      ...turns,
      aim: ratio(0.8),
    },
    'embedded-32': {
      name: 'embedded: record, 32 connections',
      against: 'bare PGlite, the same statement, one after the other',
      ...turns,
      aim: ratio(0.8),
    },
  },
  start: {
    'start-embedded': {
      name: 'embedded: start to ready, existing data',
      against: 'bare PGlite on the same data, start to first row',
      unit: 's',
      better: 'less',
      aim: figure(1.5),
    },
    'start-server': {
      name: 'serve on an external Postgres, start to ready',
      against: 'a bare Bun server, start to first answer',
      unit: 's',
      better: 'less',
      aim: figure(0.5),
    },
  },
  memory: {
    'memory-ready': {
      name: 'memory idle, external Postgres, once ready',
      against: 'a bare Bun server',
      unit: 'MB',
      better: 'less',
      aim: figure(120),
    },
    'memory-used': {
      name: 'memory idle, external Postgres, after requests',
      against: 'a bare Bun server',
      unit: 'MB',
      better: 'less',
      aim: figure(120),
    },
    'memory-embedded': {
      name: 'memory idle, embedded, once ready',
      against: 'bare PGlite on the same data',
      unit: 'MB',
      better: 'less',
    },
  },
} as const satisfies Record<string, Record<string, Row>>

export type BenchName = keyof typeof rowsByBench

export type RowId = { [Name in BenchName]: keyof (typeof rowsByBench)[Name] }[BenchName]

export const benchNames = Object.keys(rowsByBench) as BenchName[]

const all: Readonly<Record<string, Row>> = Object.assign({}, ...Object.values(rowsByBench))

export const rowIds = Object.keys(all) as RowId[]

export function rowOf(id: RowId): Row {
  const row = all[id]
  if (row === undefined) throw new Error(`There is no row ${id}`)
  return row
}
