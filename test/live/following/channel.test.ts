/**
 * Channels and their followers, on database reads that the test answers at moments of its choice.
 */

import { heapStats } from 'bun:jsc'
import { describe, expect, test } from 'bun:test'
import type { ChangesRead, LiveReads } from '../../../src/conversation/reading/live-reads.ts'
import type { CurrentVersion, Versions } from '../../../src/conversation/reading/versions.ts'
import { encodeCursor, newId } from '../../../src/conversation/wire/ids.ts'
import { localPrincipal as local } from '../../../src/conversation/wire/principal.ts'
import type { Conversation, Message } from '../../../src/conversation/wire/schemas.ts'
import type { Channel } from '../../../src/live/following/channel.ts'
import { Hub } from '../../../src/live/following/hub.ts'
import { splitSlice } from '../../../src/live/following/slices.ts'
import { UnfollowedPartials } from '../../../src/live/following/unfollowed-partials.ts'
import type { ServerFrame } from '../../../src/live/protocol/server-frames.ts'
import { Outbox } from '../../../src/live/socket/outbox.ts'
import { Stream } from '../../../src/live/socket/stream.ts'
import { WriteLines } from '../../../src/live/socket/write-lines.ts'
import { LoopShare } from '../../../src/mechanics/loop-share.ts'
import { until } from '../../support/servers/processes.ts'

const at = (version: number): CurrentVersion => ({ version, isErased: false })

const nothingNew = (from: number): ChangesRead => ({
  state: 'found',
  head: from,
  slice: { from, version: from, messages: [], segments: [], voiceSessions: [] },
})

function hubOf(reads: Partial<LiveReads>, current: Versions['current'] = async () => at(5)): Hub {
  return new Hub({
    versions: { current },
    reads: {
      changes: async (_principal, _id, from) => nothingNew(from),
      snapshot: async () => ({ state: 'missing' }),
      ...reads,
    },
    databaseShared: false,
    kv: undefined,
    pollMs: 60_000,
    silentPollMs: 60_000,
    page: { limit: 200, bytesMax: 131_072 },
    share: new LoopShare(4, () => {}),
    events: { headWentBack() {}, workFailed() {} },
  })
}

/** An outbox that collects frames, or is full. */
class TestOutbox extends Outbox {
  readonly frames: ServerFrame[] = []
  full = false
  readonly #hub: Hub

  constructor(hub: Hub) {
    super({ softBytes: 1, hardBytes: 1 })
    this.#hub = hub
  }

  override get isFull() {
    return this.full
  }

  override write(text: string) {
    this.frames.push(JSON.parse(text))
    return 'sent' as const
  }

  streamEnded({ channel }: Stream) {
    this.#hub.release(channel)
  }

  override buffered = () => 0
  override close() {}
  override terminate() {}
  override ping() {}
  override pauseReading() {}
  override resumeReading() {}
  override together(work: () => void) {
    work()
  }
}

const outletOf = (hub: Hub) => new TestOutbox(hub)

const streamOf = (channel: Channel, outlet: TestOutbox) => new Stream(channel, outlet, outlet)

describe('an interim text', () => {
  test('an interim text of another node is not shown after the message that ended it', async () => {
    using hub = hubOf({}, async () => at(6))
    const channel = hub.hold(local, newId())
    // The KV keeps a text for 15 seconds and delivers it to each new watch.
    channel.partials.updateFromPeer({ role: 'ai', text: 'ended by version 6', after: 5 })
    channel.partials.updateFromPeer({ role: 'human', text: 'of now', after: 6 })
    const outlet = outletOf(hub)
    await streamOf(channel, outlet).start({ t: 'sub', c: channel.conversationId })
    channel.partials.updateFromPeer({ role: 'ai', text: 'ended, and late', after: 5 })
    const texts = outlet.frames.flatMap((frame) => (frame.t === 'partial' ? [frame.text] : []))
    expect(texts).toEqual(['of now'])
  })

  test('an interim text for a version above the head is shown once the head reaches or passes that version', async () => {
    using hub = hubOf({})
    const channel = hub.hold(local, newId())
    const outlet = outletOf(hub)
    await streamOf(channel, outlet).start({ t: 'sub', c: channel.conversationId })
    channel.partials.updateFromPeer({ role: 'ai', text: 'early', after: 6 })
    expect(outlet.frames.map(({ t }) => t)).toEqual(['subscribed', 'live'])
    const { conversationId } = channel
    const touched = { tenant: local.tenant, conversationId, messages: [], touched: 'segments' }
    hub.effect.committed({ ...touched, from: 5, version: 8 } as never)
    hub.effect.committed({ ...touched, from: 8, version: 9 } as never)
    const texts = outlet.frames.flatMap((frame) => (frame.t === 'partial' ? [frame.text] : []))
    expect(texts).toEqual(['early'])
  })

  test('a client that did not read gets the withdrawal of an interim text once it reads again', async () => {
    using hub = hubOf({})
    const channel = hub.hold(local, newId())
    const outlet = outletOf(hub)
    const stream = streamOf(channel, outlet)
    await stream.start({ t: 'sub', c: channel.conversationId })
    channel.partials.update('human', 'I would')
    outlet.full = true
    channel.partials.updateFromPeer({ role: 'human', text: '', after: 5 })
    outlet.full = false
    stream.advance()
    expect(outlet.frames.slice(2)).toEqual([
      { t: 'partial', c: channel.conversationId, role: 'human', text: 'I would' },
      { t: 'live', c: channel.conversationId, version: 5 },
      { t: 'partial', c: channel.conversationId, role: 'human', text: '' },
    ])
  })

  test('an interim text ends with a new message of its speaker, and not with audio for an old one', async () => {
    using hub = hubOf({})
    const channel = hub.hold(local, newId())
    await channel.check()
    const { conversationId } = channel
    const commit = (version: number, seq: number) =>
      hub.effect.committed({
        tenant: local.tenant,
        conversationId,
        from: version - 1,
        version,
        messages: [{ role: 'ai', seq, version, content: '' } as Message],
        touched: 'messages',
      })
    commit(6, 2)
    channel.partials.update('ai', 'the next answer')
    commit(7, 2)
    expect(channel.partials.current()).toMatchObject([{ text: 'the next answer' }])
    commit(8, 4)
    expect(channel.partials.current()).toEqual([])
  })

  test('an interim text from an unsubscribed socket carries the newest version, even if another node wrote it', async () => {
    const slice = { from: 5, version: 6, messages: [], segments: [], voiceSessions: [] }
    using hub = hubOf({ changes: async () => ({ state: 'found', head: 6, slice }) })
    const channel = hub.hold(local, newId())
    await channel.check()
    // With an older version, other nodes would take it for a text that a message has ended.
    channel.hint(6)
    await until('the head is 6', () => channel.head === 6, 1000)
    channel.partials.update('human', 'and')
    expect(channel.partials.current()).toMatchObject([{ text: 'and', after: 6 }])
  })

  test('a socket may send interim texts to any number of conversations, one after another', async () => {
    using hub = hubOf({})
    const unfollowed = new UnfollowedPartials(hub, local, 3)
    const ids = Array.from({ length: 10 }, newId)
    for (const id of ids) await unfollowed.update(id, 'ai', 'hello')
    const [last = ''] = ids.slice(-1)
    expect(hub.hold(local, last).partials.current()).toMatchObject([{ text: 'hello' }])
    // Conversations that are still being looked up keep their place, so two of five are refused.
    const updates = Array.from({ length: 5 }, () => unfollowed.update(newId(), 'ai', 'at once'))
    const outcomes = await Promise.allSettled(updates)
    expect(outcomes.map(({ status }) => status).sort()).toEqual(
      [
        ...Array.from({ length: 3 }, () => 'fulfilled' as const),
        ...Array.from({ length: 2 }, () => 'rejected' as const),
      ].sort(),
    )
    unfollowed.end()
  })
})

describe('an erasure', () => {
  const erased: ChangesRead = {
    state: 'erased',
    conversation: { version: 6, erasedAt: '2026-11-23T09:30:00.000000Z' } as Conversation,
  }

  test('a subscription is refused with conversation-erased if the erasure comes before the head is read', async () => {
    const head = Promise.withResolvers<CurrentVersion | undefined>()
    using hub = hubOf({ changes: async () => erased }, () => head.promise)
    const channel = hub.hold(local, newId())
    const outlet = outletOf(hub)
    const started = streamOf(channel, outlet).start({ t: 'sub', c: channel.conversationId })
    const { conversationId } = channel
    const { tenant } = local
    hub.effect.committed({
      tenant,
      conversationId,
      from: 5,
      version: 6,
      messages: [],
      touched: 'erased',
    })
    await until('the channel knows the erasure', () => channel.absent !== undefined)
    head.resolve(at(5))
    expect(await started.catch((thrown) => thrown)).toMatchObject({ code: 'conversation-erased' })
    expect(outlet.frames).toEqual([])
  })

  test('an erasure ends the interim texts of the conversation and refuses later ones', async () => {
    let isErased = false
    using hub = hubOf({ changes: async () => erased }, async () => ({
      version: isErased ? 6 : 5,
      isErased,
    }))
    const unfollowed = new UnfollowedPartials(hub, local, 3)
    const c = newId()
    await unfollowed.update(c, 'human', 'I would')
    isErased = true
    const channel = hub.hold(local, c)
    await channel.check()
    await until('the interim text has ended', () => channel.partials.current().length === 0)
    const more = await unfollowed.update(c, 'human', 'I would like').catch((thrown) => thrown)
    expect(more).toMatchObject({ code: 'conversation-erased' })
    expect(channel.partials.current()).toEqual([])
    unfollowed.end()
  })
})

test('a database that lost its newest versions is read only a few times', async () => {
  let reads = 0
  const changes: LiveReads['changes'] = async (_principal, _id, from) => {
    reads += 1
    await new Promise((resolve) => setImmediate(resolve))
    if (from > 6) return { state: 'behind', head: 6 }
    return {
      state: 'found',
      head: 6,
      slice: { from, version: 6, messages: [], segments: [], voiceSessions: [] },
    }
  }
  // The database is restored to version 6 after its head was read as 7.
  using hub = hubOf({ changes }, async () => at(7))
  const c = newId()
  const outlet = outletOf(hub)
  const stream = streamOf(hub.hold(local, c), outlet)
  await stream.start({ t: 'sub', c, cursor: encodeCursor(c, 5) })
  await until('the subscription is live', () => outlet.frames.at(-1)?.t === 'live', 1000)
  expect(outlet.frames.at(-1)).toMatchObject({ version: 6 })
  expect(reads).toBeLessThan(5)
})

test('a commit of many turns is split into changes by size, whichever field is large', () => {
  const message = (version: number, large: Partial<Message>) =>
    ({ seq: version, version, content: '', metadata: null, ...large }) as Message
  const text = 'x'.repeat(10_000)
  const larges: Partial<Message>[] = [
    // Here the number of messages makes the commit large.
    { id: newId(), turnId: newId(), conversationId: newId(), createdAt: 'x'.repeat(300) },
    { content: text },
    { metadata: { text } },
    { memoryRetrievalTrace: { text } },
    { ttsAudioUrls: [text] },
  ]
  for (const large of larges) {
    const messages = Array.from({ length: 200 }, (_, n) => message(n + 2, large))
    const parts = splitSlice(
      { from: 1, version: 201, messages, segments: [], voiceSessions: [] },
      50_000,
    )
    for (const part of parts) expect(JSON.stringify(part).length).toBeLessThan(70_000)
    expect(parts.flatMap((part) => part.messages)).toEqual(messages)
    expect(parts.map(({ from }) => from)).toEqual(
      [1, ...parts.map((one) => one.version)].slice(0, -1),
    )
  }
})

test('a missing conversation leaves no channel open', async () => {
  using hub = hubOf({}, async () => undefined)
  const unfollowed = new UnfollowedPartials(hub, local, 3)
  for (let n = 0; n < 100; n += 1) {
    const c = newId()
    await streamOf(hub.hold(local, c), outletOf(hub))
      .start({ t: 'sub', c })
      .catch(() => {})
    await unfollowed.update(newId(), 'ai', 'for a missing conversation').catch(() => {})
  }
  expect(hub.size).toBe(0)
})

test('an unbroken series of writes on one socket keeps no finished write in memory', async () => {
  const lines = new WriteLines()
  const arrays = () => {
    Bun.gc(true)
    return heapStats().objectTypeCounts['Array'] ?? 0
  }
  let end = () => {}
  let before: Promise<void> = Promise.resolve()
  const write = async () => {
    const gate = Promise.withResolvers<void>()
    const running = lines.run(
      'c',
      false,
      () => gate.promise,
      () => {},
    )
    end()
    await before
    before = running
    end = gate.resolve
  }
  for (let n = 0; n < 100; n += 1) await write()
  const arraysBefore = arrays()
  for (let n = 0; n < 10_000; n += 1) await write()
  expect(arrays() - arraysBefore).toBeLessThan(1000)
  end()
  await lines.ended()
})
