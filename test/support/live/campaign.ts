/**
 * A campaign: live delivery to subscribers, with producers and faults, and a check of its history.
 */
import { encodeCursor } from '../../../src/conversation/wire/ids.ts'
import { createConversations } from '../servers/node.ts'
import { startPostgres, testDatabaseUrl } from '../servers/postgres.ts'
import { startRedis } from '../servers/redis.ts'
import { seeded } from '../writing/writer.ts'
import { type Arrival, type History, readTruth, type Truth } from './live-history.ts'
import { check, type Violation } from './live-judge.ts'
import { Served, torment } from './nemesis.ts'
import { Producer } from './producer.ts'
import { type Follows, Subscriber } from './subscriber.ts'

export type CampaignOptions = {
  readonly seed: number
  readonly faultsMs: number
  /** How many faults run at a time. */
  readonly faultsAtOnce: number
  /** A factor of how long each fault lasts. */
  readonly pace: number
  /** Whether the run has a Postgres of its own, which fails, too. */
  readonly postgres: boolean
  /**
   * Whether the nodes share a Redis. Otherwise they find each other's commits by the poll of
   * Postgres.
   */
  readonly redis: boolean
  readonly args?: readonly string[]
}

export type CampaignReport = {
  readonly violations: readonly Violation[]
  readonly text: string
  /** How often each kind of fault happened. */
  readonly faults: ReadonlyMap<string, number>
  readonly acknowledged: number
  /** The number of reconnects of subscribers and producers. */
  readonly reconnects: number
}

const nodesMax = 3
const producersMax = 8
const subscribersMax = 20
const conversationsMax = 50
const ownMax = 2
/** Milliseconds after the last fault within which every subscriber must reach the head. */
export const headWithinMs = 10_000

export async function campaign(options: CampaignOptions): Promise<CampaignReport> {
  const { seed, faultsMs, faultsAtOnce, pace } = options
  // A ping arrives every second. After this many milliseconds of silence a client tries another
  // node.
  const silenceMs = 1000 + 1500 * pace
  const random = seeded(seed)
  await using stack = new AsyncDisposableStack()
  const postgres = options.postgres ? stack.use(await startPostgres()) : undefined
  const databaseUrl = postgres?.url ?? (await testDatabaseUrl())
  const redis = options.redis ? stack.use(await startRedis()) : undefined
  const args = [
    '--live.pingSeconds=1',
    '--database.deadlineMs=1500',
    '--database.lockTimeoutMs=1000',
    '--database.connectTimeoutMs=1000',
    '--server.shutdownGraceSeconds=1',
    ...(options.args ?? []),
  ]
  // The first node creates the tables.
  const first = stack.use(await Served.start(databaseUrl, redis?.url, args))
  const [conversations, ...others] = await Promise.all([
    createConversations(first.url, conversationsMax),
    ...Array.from({ length: nodesMax - 1 }, () => Served.start(databaseUrl, redis?.url, args)),
  ])
  const nodes = [first, ...others.map((each) => stack.use(each))]
  const bases = () => nodes.map(({ url }) => url)

  const ownOf = (n: number) => conversations.slice(n * ownMax, (n + 1) * ownMax)
  const shared = conversations.slice(producersMax * ownMax)
  const producers = Array.from(
    { length: producersMax },
    (_, n) =>
      new Producer({
        name: `producer-${n}`,
        bases,
        shared,
        own: ownOf(n),
        random: seeded(seed + 100 + n),
        silenceMs,
        rest: n >= producersMax - 2,
        paceMs: 50,
        ...(n < 3 ? { restlessMs: 1500 } : {}),
      }),
  )
  const subscribers = Array.from({ length: subscribersMax }, (_, n) => {
    const own = seeded(seed + 200 + n)
    return new Subscriber({
      name: `subscriber-${n}`,
      bases,
      follows: followsOf(n, conversations, own),
      random: own,
      silenceMs,
      // The first three never hang up by themselves.
      ...(n < 3 ? {} : { restlessMs: 1000 + 400 * n }),
      slow: n % 5 === 4,
    })
  })
  stack.defer(() => {
    for (const each of subscribers) each.stop()
    for (const each of producers) each.halt()
  })

  const endSessions = () => endSessionsOf(databaseUrl)
  const targets = { nodes, redis, postgres, endSessions, random, pace }
  const faults = await torment(targets, { faultsAtOnce, forMs: faultsMs })

  const healedAt = performance.now()
  for (const each of subscribers) each.settle()
  const unanswered = await answered(producers, headWithinMs)
  const { arrivals, truth } = await arrive(subscribers, databaseUrl, healedAt)
  const history: History = {
    subscribers: subscribers.map((each) => each.history),
    producers: producers.map((each) => each.history),
    nodes: nodes.map(({ faults }, n) => ({ name: `node-${n}`, faults })),
    arrivals: [...unanswered, ...arrivals],
    truth,
  }
  const violations = check(history)
  const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0)
  const acknowledged = sum(producers.map((each) => each.acknowledged))
  const reconnects = sum(subscribers.map((each) => each.connects - 1))
  const returns = sum(producers.map((each) => Math.max(0, each.connects - 1)))
  const megabytes = Math.round(sum(subscribers.map((each) => each.bytes)) / 1e6)
  const headMs = Math.max(0, ...arrivals.map(({ ms }) => ms ?? 0))
  const isThere = arrivals.every(({ ms }) => ms !== undefined)
  const line = (what: string, value: string | number) => `  ${what.padEnd(30)} ${value}`
  const text = [
    `Live campaign, seed ${seed}, ${redis === undefined ? 'without' : 'with'} Redis: ${nodesMax} nodes, ` +
      `${producersMax} producers, ${subscribersMax} subscribers, ${conversationsMax} conversations`,
    line('faults', `${sum([...faults.values()])} in ${(faultsMs / 1000).toFixed(0)} s`),
    ...[...faults]
      .filter(([, count]) => count > 0)
      .map(([name, count]) => line(`  ${name}`, count)),
    line('turns acknowledged', acknowledged),
    line('frames received', `${sum(subscribers.map((each) => each.frames))}, ${megabytes} MB`),
    line('reconnects', `${reconnects} of subscribers, ${returns} of producers`),
    line('resumes by cursor', resumesOf(history)),
    line('violations', violations.length),
    line('all at the head', isThere ? `${Math.round(headMs)} ms after the healing` : 'not in time'),
  ].join('\n')
  return { violations, text, faults, acknowledged, reconnects: reconnects + returns }
}

/** The number of subscriptions that resumed at a cursor. */
function resumesOf({ subscribers }: History): number {
  return subscribers
    .flatMap(({ events }) => events)
    .filter(
      (event) => event.kind === 'frame' && event.frame.t === 'subscribed' && event.frame.recovered,
    ).length
}

/**
 * The subscriptions of one subscriber: some from the beginning, some with a tail, some from now on.
 */
function followsOf(n: number, conversations: readonly string[], random: () => number): Follows[] {
  return conversations
    .filter((_, index) => index % subscribersMax === n || random() < 0.15)
    .map((c, index) => {
      const kind = (n + index) % 4
      if (kind === 0) return { c, tail: 5 }
      return kind === 1 ? { c } : { c, cursor: encodeCursor(c, 1) }
    })
}

async function endSessionsOf(databaseUrl: string): Promise<void> {
  await using sql = new Bun.SQL(databaseUrl, { max: 1 })
  await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()`
}

/**
 * Waits until every write is answered, at most `withinMs`. Returns the producers that still wait.
 */
export async function answered(
  producers: readonly Producer[],
  withinMs: number,
): Promise<Arrival[]> {
  for (const each of producers) each.stop()
  const end = performance.now() + withinMs
  while (producers.some((each) => !each.isDone) && performance.now() < end) await Bun.sleep(5)
  return producers
    .filter((each) => !each.isDone)
    .map(({ history }) => ({ name: history.name, c: '', ms: undefined }))
}

/**
 * Waits until every subscriber is at the head of all its conversations, at most `withinMs`. A call
 * that its caller has given up may still move the head, so the head is read again at the end.
 */
export async function arrive(
  subscribers: readonly Subscriber[],
  databaseUrl: string,
  healedAt: number,
  withinMs = headWithinMs,
): Promise<{ arrivals: Arrival[]; truth: Truth }> {
  let truth = await readTruth(databaseUrl)
  /** By how many versions the subscriber is above the head. Negative if it is behind. */
  const aheadBy = ({ one, c }: { one: Subscriber; c: string }) => {
    const stored = truth.get(c)
    if (stored?.erased === true) return one.ended.has(c) ? 0 : -1
    return (one.lasts.get(c) ?? -1) - (stored?.version ?? 0)
  }
  const all = subscribers.flatMap((one) => one.follows.map(({ c }) => ({ one, c, ms: 0 })))
  for (;;) {
    const waiting = new Set(all)
    let ms = 0
    for (;;) {
      ms = performance.now() - healedAt
      for (const each of waiting) {
        if (aheadBy(each) < 0) continue
        waiting.delete(each)
        each.ms ||= ms
      }
      if (waiting.size === 0 || ms > withinMs) break
      await Bun.sleep(5)
    }
    truth = await readTruth(databaseUrl)
    if (ms > withinMs || all.every((each) => aheadBy(each) === 0)) {
      const arrivals = all.map((each) => ({
        name: each.one.history.name,
        c: each.c,
        ms: aheadBy(each) < 0 ? undefined : each.ms,
      }))
      return { arrivals, truth }
    }
  }
}
