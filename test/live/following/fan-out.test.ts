/** Delivery to crowds: each member is served once, and other work runs between the steps. */
import { describe, expect, test } from 'bun:test'
import type { ChangesRead } from '../../../src/conversation/reading/live-reads.ts'
import { newId } from '../../../src/conversation/wire/ids.ts'
import { localPrincipal as local } from '../../../src/conversation/wire/principal.ts'
import type { Conversation, Message } from '../../../src/conversation/wire/schemas.ts'
import { FanOut } from '../../../src/live/following/fan-out.ts'
import type { Follower } from '../../../src/live/following/follower.ts'
import { Hub } from '../../../src/live/following/hub.ts'
import { LoopShare } from '../../../src/mechanics/loop-share.ts'
import { until } from '../../support/servers/processes.ts'

const busy = (ms: number) => {
  const end = performance.now() + ms
  while (performance.now() < end);
}

const round = () => new Promise((resolve) => setImmediate(resolve))

const thrower = (cause: unknown) => {
  throw cause
}

describe('FanOut', () => {
  test('a fan-out to a crowd yields to other work, and serves each member once', async () => {
    const crowd = new Set(Array.from({ length: 1000 }, (_, n) => n))
    const served: number[] = []
    const fanOut = new FanOut(new LoopShare(2, thrower), crowd, (one) => {
      busy(0.05)
      served.push(one)
    })
    fanOut.all()
    // The work takes 50 ms. The caller waits for one share of it.
    expect(served.length).toBeLessThan(500)
    let rounds = 0
    for (; served.length < 1000; rounds += 1) await round()
    expect(rounds).toBeGreaterThan(5)
    await round()
    expect(served).toEqual([...crowd])
  })

  test('a running fan-out that is started again serves each member equally often', async () => {
    const crowd = new Set(Array.from({ length: 300 }, (_, n) => n))
    const served = new Map<number, number>()
    const fanOut = new FanOut(new LoopShare(1, thrower), crowd, (one) => {
      busy(0.1)
      served.set(one, (served.get(one) ?? 0) + 1)
    })
    for (let n = 0; n < 20; n += 1) {
      fanOut.all()
      await round()
    }
    await until('the fan-out has ended', () => !fanOut.isRunning)
    const counts = [...served.values()]
    expect(served.size).toBe(300)
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
  })

  test('a running fan-out serves members that join meanwhile, and skips members that leave', async () => {
    const crowd = new Set(Array.from({ length: 200 }, (_, n) => n))
    const served: number[] = []
    const fanOut = new FanOut(new LoopShare(1, thrower), crowd, (one) => {
      busy(0.1)
      served.push(one)
    })
    fanOut.all()
    expect(served.length).toBeLessThan(150)
    crowd.delete(199)
    crowd.add(1000)
    fanOut.joined()
    await until('the fan-out has ended', () => !fanOut.isRunning)
    expect(served).toContain(1000)
    expect(served).not.toContain(199)
  })

  test('a fan-out continues after a member that throws, and reports the error', async () => {
    const failures: unknown[] = []
    const crowd = new Set(Array.from({ length: 100 }, (_, n) => n))
    const served: number[] = []
    const share = new LoopShare(2, (cause) => failures.push(cause))
    const fanOut = new FanOut(share, crowd, (one) => {
      if (one === 50) throw new Error('fifty')
      served.push(one)
    })
    fanOut.all()
    await until('the fan-out has ended', () => !fanOut.isRunning)
    expect([served.length, String(failures)]).toEqual([99, 'Error: fifty'])
  })
})

describe('a conversation that a crowd follows', () => {
  const crowdSize = 200

  /** A channel with slow followers, so that a crowd of them needs many steps. */
  async function crowded(changes?: () => Promise<ChangesRead>) {
    const hub = new Hub({
      reads: {
        changes: changes ?? (() => new Promise(() => {})),
        snapshot: async () => ({ state: 'missing' }),
      },
      versions: { current: async () => ({ version: 5, isErased: false }) },
      databaseShared: false,
      kv: undefined,
      pollMs: 60_000,
      silentPollMs: 60_000,
      page: { limit: 200, bytesMax: 131_072 },
      share: new LoopShare(1, thrower),
      events: { headWentBack() {}, workFailed() {} },
    })
    const channel = hub.hold(local, newId())
    await channel.check()
    const followers = Array.from({ length: crowdSize }, (_, n) => {
      const received: string[] = []
      const follower: Follower = {
        last: 5,
        advance() {
          busy(0.1)
          received.push(`version ${channel.head}`)
        },
        reset(reason) {
          busy(0.1)
          received.push(reason)
        },
        show({ text }) {
          busy(0.1)
          received.push(text)
        },
      }
      channel.join(follower)
      return { n, received, follower }
    })
    const commit = (version: number, fields: Partial<Message> = {}) =>
      hub.effect.committed({
        tenant: local.tenant,
        conversationId: channel.conversationId,
        from: version - 1,
        version,
        messages: [{ role: 'ai', seq: version, version, content: '', ...fields } as Message],
        touched: 'messages',
      })
    return { hub, channel, followers, commit }
  }

  test('the writer of a turn gets the answer before all of a crowd of followers have the change', async () => {
    const { hub, followers, commit } = await crowded()
    commit(6)
    expect(followers.filter(({ received }) => received.length > 0).length).toBeLessThan(
      crowdSize / 2,
    )
    await until('all followers have it', () =>
      followers.every(({ received }) => received.length > 0),
    )
    expect(followers.every(({ received }) => received.join() === 'version 6')).toBe(true)
    hub[Symbol.dispose]()
  })

  test('a crowd of followers does not get an interim text that a message has ended meanwhile', async () => {
    const { hub, channel, followers, commit } = await crowded()
    channel.partials.update('ai', 'so far')
    expect(followers.filter(({ received }) => received.length > 0).length).toBeLessThan(
      crowdSize / 2,
    )
    commit(6)
    await until('all followers have it', () =>
      followers.every(({ received }) => received.includes('version 6')),
    )
    await round()
    for (const { received } of followers) expect(received.indexOf('so far')).toBeLessThan(1)
    expect(followers.some(({ received }) => received.join() === 'version 6')).toBe(true)
    hub[Symbol.dispose]()
  })

  test('a crowd of followers gets the latest interim text, and its withdrawal', async () => {
    const { hub, channel, followers } = await crowded()
    channel.partials.update('ai', 'so far')
    channel.partials.update('ai', 'so far so good')
    await until('all followers have the latest text', () =>
      followers.every(({ received }) => received.at(-1) === 'so far so good'),
    )
    channel.partials.update('ai', '')
    await until('all followers have the withdrawal', () =>
      followers.every(({ received }) => received.at(-1) === ''),
    )
    hub[Symbol.dispose]()
  })

  test('each follower of a crowd gets the reset of an erasure', async () => {
    const conversation = { version: 6, erasedAt: '2026-11-23T09:30:00.000000Z' } as Conversation
    const { hub, channel, followers } = await crowded(async () => ({
      state: 'erased',
      conversation,
    }))
    channel.hint(6)
    await until('all followers have it', () =>
      followers.every(({ received }) => received.includes('conversation-erased')),
    )
    hub[Symbol.dispose]()
  })
})
