/**
 * One run of load with one fault in it: its requests, its wrong answers, and the time to recover.
 */
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
  /** The share of answers from the cache, 0 to 1. */
  readonly fromCache: number
  /** Milliseconds within which 99 % of the reads were answered. */
  readonly p99: number
  /**
   * Milliseconds from the end of the fault until every answer is from the cache; undefined without
   * fault.
   */
  readonly wholeMs: number | undefined
}

export type RunOptions = {
  readonly nodes: readonly Node[]
  readonly talks: readonly Talk[]
  readonly nextTurn: () => NewTurn
  /** Milliseconds before the fault, of the fault, and at least of the whole run. */
  readonly leadMs: number
  readonly faultMs: number
  readonly wholeRunMs: number
  readonly fault?: Fault
  readonly redis: TestRedis
  readonly links: readonly TestProxy[]
}

/** The most milliseconds that recovery may take. */
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
  // Nothing is written any more: now every answer must have the newest version.
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

/** Judges the reads since the last judgement. */
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

/** One sentence for each difference between the acknowledged changes and the database. */
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
    const stored = await reader.loadCanonicalHistory(localPrincipal, id)
    if (stored.version !== version) found.push(`${id} is at ${stored.version}, not ${version}`)
    const seqs = stored.messages.map(({ seq }) => seq)
    if (seqs.some((seq, index) => seq !== index + 1)) found.push(`${id} has a hole`)
    const isSame = stateAt(changes, version).join() === stored.messages.map(digestOf).join()
    if (!isSame) found.push(`${id} has other messages than were acknowledged`)
  }
  return found
}
