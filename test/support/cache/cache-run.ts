/** One run of load with one fault in it: what was asked, what was wrong, and how long until all was well. */
import { openDatabase } from '../../../adapters/open.ts'
import { Reader } from '../../../src/conversation/reading/reader.ts'
import { localPrincipal } from '../../../src/conversation/wire/principal.ts'
import type { NewTurn } from '../../../src/conversation/wire/schemas.ts'
import type { Node } from '../servers/node.ts'
import type { TestProxy } from '../servers/proxy.ts'
import type { TestRedis } from '../servers/redis.ts'
import type { Fault } from './cache-faults.ts'
import { startLoad, type Talk, untilWhole } from './cache-load.ts'
import { digestOf, judgeReads, stateAt } from './read-judge.ts'

export type Run = {
  readonly requests: number
  readonly failures: readonly string[]
  readonly wrong: readonly string[]
  /** Of the readers' answers, 0 to 1. */
  readonly fromCache: number
  /** Milliseconds that all but one in a hundred reads stayed below. */
  readonly p99: number
  /** Milliseconds from the end of the fault until all came from the cache again; none for `off`. */
  readonly wholeMs: number | undefined
}

export type RunOptions = {
  readonly nodes: readonly Node[]
  readonly talks: readonly Talk[]
  readonly nextTurn: () => NewTurn
  /** Before the fault, the fault, and the whole run at least. */
  readonly leadMs: number
  readonly faultMs: number
  readonly wholeRunMs: number
  readonly fault?: Fault
  readonly redis: TestRedis
  readonly links: readonly TestProxy[]
}

/** Longer is no healing. */
const wholeWithinMs = 15_000

export async function runWithFault(options: RunOptions): Promise<Run> {
  const { nodes, talks, fault } = options
  const startedAt = performance.now()
  const load = startLoad(options)
  const changes = () => talks.reduce((sum, talk) => sum + talk.changes.length, 0)
  let wholeMs: number | undefined
  try {
    if (fault !== undefined) {
      await Bun.sleep(options.leadMs)
      await fault({ ...options, lastsMs: options.faultMs, changes })
      const endedAt = performance.now()
      await untilWhole(nodes, talks, wholeWithinMs)
      wholeMs = performance.now() - endedAt
    }
    await Bun.sleep(Math.max(0, startedAt + options.wholeRunMs - performance.now()))
  } finally {
    await load.stop()
  }
  // Nothing moves any more: now each is to be had at exactly its version.
  if (fault !== undefined) await untilWhole(nodes, talks, wholeWithinMs)
  const sources = talks.flatMap(({ reads }) => reads.map(({ source }) => source))
  return {
    requests: load.requests(),
    failures: load.failures,
    wrong: talks.flatMap(judge),
    fromCache: sources.filter((source) => source === 'cache').length / sources.length,
    p99: quantile(load.readMs, 0.99),
    wholeMs,
  }
}

/** Judges what was read since the last time. */
function judge(talk: Talk): string[] {
  const wrong = judgeReads(talk).map((sentence) => `${talk.id}: ${sentence}`)
  const cached = talk.reads.filter(({ source }) => source === 'cache')
  talk.newestShown = Math.max(talk.newestShown, ...cached.map(({ version }) => version))
  talk.reads = []
  return wrong
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** What writers were told, beside what is in the database: one sentence a difference. */
export async function differences(databaseUrl: string, talks: readonly Talk[]): Promise<string[]> {
  await using database = await openDatabase({
    url: databaseUrl,
    directory: '.turnlog',
    connectionsMax: 2,
    prepare: true,
    deadlineMs: 5000,
    connectTimeoutMs: 2000,
    startWaitSeconds: 30,
    allowUnsafe: false,
  })
  const reader = new Reader(database, {
    historyMessagesMax: 10_000,
    changesBytesMax: 1_000_000,
  })
  const found: string[] = []
  for (const { id, changes, version } of talks) {
    const there = await reader.loadCanonicalHistory(localPrincipal, id)
    if (there.version !== version) found.push(`${id} is at ${there.version}, not ${version}`)
    const seqs = there.messages.map(({ seq }) => seq)
    if (seqs.some((seq, index) => seq !== index + 1)) found.push(`${id} has a hole`)
    const isSame = stateAt(changes, version).join() === there.messages.map(digestOf).join()
    if (!isSame) found.push(`${id} has other messages than its writers were told`)
  }
  return found
}
