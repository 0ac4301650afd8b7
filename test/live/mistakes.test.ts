/**
 * The checker finds seeded mistakes: one small run with two nodes in one process, without and with
 * each mistake.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createApp } from '../../src/app.ts'
import { configWith } from '../../src/config.ts'
import { encodeCursor } from '../../src/conversation/wire/ids.ts'
import { createEvents, type Events } from '../../src/events.ts'
import { answered, arrive } from '../support/live/campaign.ts'
import type { ProducerHistory } from '../support/live/live-history.ts'
import {
  check,
  orderedTurns,
  type Rule,
  summary,
  type Violation,
} from '../support/live/live-judge.ts'
import { forgetful, leaky, type Mistake, mistakes } from '../support/live/live-mistakes.ts'
import { Producer } from '../support/live/producer.ts'
import { Subscriber } from '../support/live/subscriber.ts'
import { createConversations } from '../support/servers/node.ts'
import { testDatabaseUrl } from '../support/servers/postgres.ts'
import { until } from '../support/servers/processes.ts'
import { startProxy } from '../support/servers/proxy.ts'
import { startRedis, type TestRedis } from '../support/servers/redis.ts'
import { must, recordTurn } from '../support/writing/client.ts'
import { seeded } from '../support/writing/writer.ts'

let redis: TestRedis
let databaseUrl: string
beforeAll(async () => {
  redis = await startRedis()
  databaseUrl = await testDatabaseUrl()
}, 60_000)
afterAll(() => redis[Symbol.asyncDispose]())

/** How many consecutive turns of a socket show the mistake of a missing order. */
const orderedEnough = 20

/**
 * Runs two nodes, one of which loses its database at times, and readers and writers that hang up.
 */
async function run(
  mistake: Partial<Mistake>,
  withinMs: number,
  cacheUrl: string | undefined = redis.url,
): Promise<Violation[]> {
  using _patch = mistake.patch?.()
  await using stack = new AsyncDisposableStack()
  const link = stack.use(await startProxy(Number(new URL(databaseUrl).port)))
  const behind = Object.assign(new URL(databaseUrl), { host: `127.0.0.1:${link.port}` }).href
  const faults: string[] = []
  const events: Events = {
    ...createEvents(() => {}),
    requestFailed: ({ route, cause }) => void faults.push(`${route}: ${String(cause)}`),
  }
  const serve = async (url: string) => {
    const config = configWith({
      database: { url, deadlineMs: 1000, lockTimeoutMs: 500, connectTimeoutMs: 500 },
      cache: { url: cacheUrl },
      live: {
        pollMs: mistake.pollMs ?? 200,
        silentPollMs: Math.min(mistake.pollMs ?? 100, 60_000),
      },
    })
    const { live } = mistake
    const app = stack.use(
      await createApp(config, { events, ...(live === undefined ? {} : { live }) }),
    )
    const listening = app.listen({ host: '127.0.0.1', port: 0 })
    stack.defer(() => listening.stop(0))
    return listening.url
  }
  const urls = [await serve(databaseUrl), await serve(behind)]
  const conversations = await createConversations(urls[0] ?? '', 4)

  const producers = Array.from(
    { length: 4 },
    (_, n) =>
      new Producer({
        name: `producer-${n}`,
        bases: () => urls,
        shared: conversations,
        own: [],
        random: seeded(n),
        silenceMs: 2000,
        rest: n === 3,
        paceMs: 10,
        restlessMs: mistake.restlessMs ?? 120,
      }),
  )
  const spoken: ProducerHistory = { name: 'speaker', events: [] }
  const subscribers = Array.from({ length: 6 }, (_, n) => {
    const speak = (c: string) => {
      const key = `spoken-${n}-${spoken.events.length}`
      spoken.events.push({ kind: 'sent', c, key, text: key })
      return { t: 'record', c, key, turn: { assistant: { responses: [key] } } }
    }
    return new Subscriber({
      name: `subscriber-${n}`,
      bases: () => urls,
      follows: conversations.map((c, index) =>
        (n + index) % 3 === 0 ? { c, tail: 5 } : { c, cursor: encodeCursor(c, 1) },
      ),
      random: seeded(50 + n),
      silenceMs: 2000,
      restlessMs: 150,
      ...(mistake.moves === undefined ? {} : { moves: mistake.moves }),
      ...(n > 0 ? {} : { speaks: () => speak(conversations[0] ?? '') }),
    })
  })
  stack.defer(() => {
    for (const each of subscribers) each.stop()
    for (const each of producers) each.halt()
  })
  for (let pass = 0; pass < 3; pass += 1) {
    await Bun.sleep(70)
    if (mistake.cuts !== true) continue
    link.refuse()
    link.cut()
    await Bun.sleep(50)
    await link.accept()
  }
  // On a busy machine a socket may hang up before its second answer, which leaves no order to
  // judge.
  if (mistake.rules?.includes('fifo') === true)
    await until(
      'the order of some turns can be judged',
      () => producers.reduce((sum, each) => sum + orderedTurns(each.history), 0) >= orderedEnough,
      10_000,
    ).catch(() => {})
  const [speaker] = subscribers
  if (mistake.moves !== undefined && speaker !== undefined) {
    // The speaker has a cursor to keep, and can move it wrongly when it reconnects.
    await until('the speaker follows', () => speaker.isFollowing)
    speaker.drop()
    await until('the speaker follows again', () => speaker.isFollowing)
  }
  for (const each of subscribers) each.settle()
  const unanswered = await answered(producers, 10_000)
  // One node records the last turns. No subscriber reconnects after that, so they must be
  // delivered.
  await Promise.race([
    until('all subscribers follow', () => subscribers.every((each) => each.isFollowing)),
    Bun.sleep(withinMs > 1000 ? withinMs : 300),
  ]).catch(() => {})
  for (const c of conversations) {
    const [key, at] = [`last-${c}`, urls[0] ?? '']
    spoken.events.push({ kind: 'sent', c, key, text: key })
    must(await recordTurn(at, c, { assistant: { responses: [key] } }, key))
  }
  const { arrivals, truth } = await arrive(subscribers, databaseUrl, performance.now(), withinMs)
  const own = new Map([...truth].filter(([c]) => conversations.includes(c)))
  return check({
    subscribers: subscribers.map((each) => each.history),
    producers: [...producers.map((each) => each.history), spoken],
    nodes: [{ name: 'nodes', faults }],
    arrivals: [...unanswered, ...arrivals],
    truth: own,
  })
}

describe('the checker', () => {
  test('the log checker reports no fault for a correct run in which connections were lost', async () => {
    expect(summary(await run({ cuts: true }, 5000))).toBe('')
  }, 20_000)

  test('the log checker reports no fault for a correct run of nodes without a shared cache', async () => {
    expect(summary(await run({ cuts: true }, 5000, undefined))).toBe('')
  }, 20_000)

  test('the log checker reports no fault if hints are lost and a socket reports a dropped frame', async () => {
    expect(summary(await run({ live: leaky('dropped', forgetful) }, 5000))).toBe('')
  }, 20_000)

  const table: string[] = []
  afterAll(() => console.log(['What the checker found of seeded mistakes:', ...table].join('\n')))

  for (const [name, mistake] of Object.entries(mistakes))
    test(`the log checker finds the mistake: ${name}`, async () => {
      const begun = performance.now()
      const found = new Set<Rule>()
      let runs = 0
      // The bound for `late` is far above the time that a right run needs.
      const withinMs = mistake.rules.includes('late') ? 800 : 300
      // A mistake shows by chance. One that takes more than 8 runs would hardly be found in a
      // campaign.
      while (runs < 8 && !mistake.rules.some((rule) => found.has(rule))) {
        runs += 1
        for (const { rule } of await run(mistake, withinMs)) found.add(rule)
      }
      const by = mistake.rules.filter((rule) => found.has(rule))
      const ms = Math.round(performance.now() - begun)
      table.push(`  ${name.padEnd(86)} ${by.join(', ').padEnd(10)} ${runs} runs ${ms} ms`)
      expect(by).not.toEqual([])
    }, 90_000)
})
