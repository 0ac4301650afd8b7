/** Subscription against peers that cut, repeat, skip and fall silent: the consumer still gets the true state. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  type ClientOptions,
  type ConversationState,
  createClient,
  createConversationState,
  type LiveEvent,
  Problem,
} from '../../../src/client/client.ts'
import type { ClientFrame } from '../../../src/client/wire/client-frames.ts'
import type { Message } from '../../../src/conversation/wire/schemas.ts'
import {
  conversationId as c,
  createTruth,
  type Peer,
  type PeerSocket,
  type Step,
  startPeer,
  type Truth,
} from '../../support/live/peer.ts'
import { until } from '../../support/servers/processes.ts'

const backoff = { firstMs: 1, maxMs: 4 }
const clientOf = (peer: Peer, options: Partial<ClientOptions> = {}) =>
  createClient({ url: peer.url, backoff, ...options })

const messages = (count: number): Step[] =>
  Array.from({ length: count }, () => ({ kind: 'message' }))
const later = () => new Promise((resolve) => setImmediate(resolve))

type Sub = Extract<ClientFrame, { t: 'sub' }>

/** Answers a `sub` frame by `deliver`, and an `unsub` frame as the service does. A new `sub` ends the one before. */
function serving(
  deliver: (socket: PeerSocket, sub: Sub, isOn: () => boolean) => void | Promise<void>,
) {
  const current = new Map<string, string>()
  return async (socket: PeerSocket, frame: ClientFrame) => {
    const name = 'c' in frame ? `${socket.number} ${frame.c}` : ''
    if (frame.t === 'unsub') {
      current.delete(name)
      socket.send({ t: 'unsubscribed', id: frame.id, c: frame.c })
    } else if (frame.t === 'sub') {
      current.set(name, frame.id)
      await deliver(socket, frame, () => socket.isOpen() && current.get(name) === frame.id)
    }
  }
}

/** Returns the version at which the delivery for a `sub` starts, and sends the frames before the first change. */
function begin(socket: PeerSocket, sub: Sub, truth: Truth): number {
  const start = sub.cursor === undefined ? truth.head : truth.version(sub.cursor)
  socket.send({
    t: 'subscribed',
    id: sub.id,
    c: sub.c,
    cursor: truth.cursor(start),
    recovered: true,
  })
  if (sub.tail === undefined) return start
  socket.send({ t: 'change', c: sub.c, snapshot: true, ...truth.change(0, truth.head) })
  return truth.head
}

const change = (truth: Truth, from: number, version: number) => ({
  t: 'change',
  c,
  ...truth.change(from, version),
})

/** A peer that sends all changes, one version per frame. */
const wellBehaved = (truth: Truth) =>
  serving(async (socket, sub, isOn) => {
    for (let at = begin(socket, sub, truth); at < truth.head && isOn(); at += 1) {
      socket.send(change(truth, at, at + 1))
      await later()
    }
    if (isOn()) socket.send({ t: 'live', c: sub.c, version: truth.head })
  })

/** Reads events until the state is at `version`, and checks the rules of each event. */
async function follow(
  events: AsyncIterable<LiveEvent>,
  version: number,
  onEvent: (event: LiveEvent) => void | Promise<void> = () => {},
): Promise<ConversationState> {
  const state = createConversationState()
  const delivered = new Set<string>()
  for await (const event of events) {
    await onEvent(event)
    if (event.type === 'change') {
      if (state.version > 0 && !event.snapshot) expect(event.from).toBe(state.version)
      expect(event.version).toBeGreaterThan(state.version)
      for (const row of event.messages) {
        expect(delivered).not.toContain(`${row.id}@${row.version}`)
        delivered.add(`${row.id}@${row.version}`)
      }
    }
    state.apply(event)
    if (event.type === 'live' && state.version >= version) break
  }
  return state.snapshot()
}

describe('Subscription', () => {
  test('the followed state is true, and each change arrives once and in order, whatever the peer does to the stream', async () => {
    const steps = fc.array(
      fc.oneof(
        fc.constant<Step>({ kind: 'message' }),
        fc.record({ kind: fc.constant('touch' as const), which: fc.nat(20) }),
      ),
      { minLength: 1, maxLength: 25 },
    )
    const fates = fc.array(
      fc.record({
        kind: fc.constantFrom(
          'range',
          'range',
          'again',
          'overlap',
          'gap',
          'cut',
          'bye',
          'rest',
          'noise',
        ),
        size: fc.integer({ min: 1, max: 5 }),
      }),
      { maxLength: 40 },
    )
    await fc.assert(
      fc.asyncProperty(
        steps,
        fates,
        fc.constantFrom('cursor', 'tail'),
        async (steps, fates, how) => {
          const truth = createTruth(steps)
          const nextFates = [...fates]
          const onFrame = serving(async (socket, sub, isOn) => {
            let at = begin(socket, sub, truth)
            const send = (from: number, to: number) => {
              if (from < to) socket.send(change(truth, from, to))
            }
            for (
              let fate = nextFates.shift();
              fate !== undefined && isOn();
              fate = nextFates.shift()
            ) {
              const { kind, size } = fate
              const to = Math.min(truth.head, at + size)
              if (kind === 'again') send(Math.max(0, at - size), at)
              else if (kind === 'gap') send(at + 1, Math.min(truth.head, at + 2))
              else if (kind === 'noise') socket.send({ t: 'of-the-future', c, more: [1] })
              else if (kind === 'rest') await later()
              else if (kind === 'cut') return socket.cut()
              else if (kind === 'bye') {
                socket.send({ t: 'bye', code: 4200, reason: 'draining', retryMs: [0, 2] })
                return socket.close(4200, 'draining')
              } else {
                send(kind === 'overlap' ? Math.max(0, at - size) : at, to)
                at = to
              }
            }
            while (isOn() && at < truth.head) {
              socket.send(change(truth, at, at + 1))
              at += 1
              await later()
            }
            if (isOn()) socket.send({ t: 'live', c, version: truth.head })
          })
          await using peer = startPeer({ onFrame })
          await using client = clientOf(peer)
          const start = how === 'tail' ? { tail: 200 } : { cursor: truth.cursor(1), version: 1 }
          const state = await follow(client.live(c, start), truth.head)
          expect(state.messages).toEqual(truth.change(0, truth.head).messages)
          expect(state.cursor).toBe(truth.cursor(truth.head))
        },
      ),
      { numRuns: 120 },
    )
  }, 30_000)

  test('a subscription resumes at its position after a cut at any frame, from a cursor and from a tail', async () => {
    for (const start of [{ cursor: 'cursor-1' }, { tail: 5 }] as const)
      for (let cutAt = 0; cutAt < 6; cutAt += 1) {
        const truth = createTruth(messages(4))
        let frames = 0
        await using peer = startPeer({
          onFrame: serving(async (socket, sub, isOn) => {
            // The first connection is cut after `cutAt` frames. Later connections are not cut.
            const counted: PeerSocket = {
              ...socket,
              send(frame) {
                if (socket.number === 0 && frames++ === cutAt) socket.cut()
                else if (isOn()) socket.send(frame)
              },
            }
            await wellBehaved(truth)(counted, sub)
          }),
        })
        await using client = clientOf(peer)
        const state = await follow(client.live(c, start), truth.head)
        expect(state.messages).toEqual(truth.change(0, truth.head).messages)
      }
  })

  test('a subscription asks for its tail again if the snapshot was cut off', async () => {
    const truth = createTruth(messages(3))
    await using peer = startPeer({
      onFrame: serving(async (socket, sub, isOn) => {
        if (socket.number > 0) return await wellBehaved(truth)(socket, sub)
        if (isOn()) socket.send({ t: 'subscribed', id: sub.id, c, cursor: truth.cursor(4) })
        socket.cut()
      }),
    })
    await using client = clientOf(peer)
    await follow(client.live(c, { tail: 9 }), truth.head)
    const subs = peer.sockets.flatMap(({ received }) => received.filter(({ t }) => t === 'sub'))
    expect(subs).toMatchObject([{ tail: 9 }, { tail: 9 }])
  })

  test('a subscription without a cursor misses no later change after a cut', async () => {
    const truth = createTruth(messages(3))
    await using peer = startPeer({
      onFrame: serving(async (socket, sub, isOn) => {
        if (socket.number > 0) return await wellBehaved(truth)(socket, sub)
        if (isOn()) socket.send({ t: 'subscribed', id: sub.id, c, cursor: truth.cursor(2) })
        await later()
        socket.cut()
      }),
    })
    await using client = clientOf(peer)
    const state = await follow(client.live(c), truth.head)
    expect(state.messages.map(({ id }) => id)).toEqual(['m2', 'm3'])
  })

  test('the client reconnects after a peer was silent for two and a half ping intervals', async () => {
    const truth = createTruth(messages(2))
    await using peer = startPeer({
      pingMs: 40,
      async onFrame(socket, frame) {
        if (socket.number > 0) await wellBehaved(truth)(socket, frame)
      },
    })
    await using client = clientOf(peer)
    const begun = performance.now()
    await follow(client.live(c, { cursor: 'cursor-1' }), truth.head)
    expect(performance.now() - begun).toBeGreaterThan(95)
    expect(peer.sockets.length).toBeGreaterThan(1)
  })

  test('the client answers pings and keeps the connection', async () => {
    let pings = 0
    await using peer = startPeer({
      pingMs: 200,
      onOpen(socket) {
        const timer = setInterval(() => {
          pings += 1
          socket.send({ t: 'ping', heads: {} })
          if (pings === 10) clearInterval(timer)
        }, 60)
      },
      onFrame: () => {},
    })
    await using client = clientOf(peer)
    const first = client.live(c).next()
    await until('ten pongs', () =>
      peer.sockets.some(({ received }) => received.filter(({ t }) => t === 'pong').length === 10),
    )
    expect(peer.sockets.length).toBe(1)
    await client.close()
    expect(await first.catch(({ name }) => name)).toBe('AbortError')
  })

  test('a subscription restarts after a ping names a version that did not arrive', async () => {
    const truth = createTruth(messages(3))
    await using peer = startPeer({
      onFrame: serving((socket, sub) => {
        const at = begin(socket, sub, truth)
        if (at > 2) return
        if (at === 1) socket.send(change(truth, 1, 2))
        else socket.send(change(truth, at, truth.head))
        socket.send({ t: 'live', c, version: at === 1 ? 2 : truth.head })
        if (at === 1) socket.send({ t: 'ping', heads: { [c]: truth.head } })
      }),
    })
    await using client = clientOf(peer)
    const state = await follow(client.live(c, { cursor: 'cursor-1' }), truth.head)
    expect(state.messages.length).toBe(3)
    expect(peer.sockets.length).toBe(1)
  }, 20_000)

  test('a close code of 40xx ends the iteration with connection-refused, and the client does not reconnect', async () => {
    await using peer = startPeer({
      onFrame(socket) {
        socket.send({ t: 'bye', code: 4001, reason: 'token' })
        socket.close(4001, 'token')
      },
    })
    await using client = clientOf(peer)
    const both = await Promise.allSettled([
      client.live(c).next(),
      client.live(`${c.slice(0, -1)}b`).next(),
    ])
    for (const outcome of both) {
      if (outcome.status === 'fulfilled') throw new Error('was not refused')
      expect(outcome.reason).toBeInstanceOf(Problem)
      expect(outcome.reason).toMatchObject({ code: 'connection-refused', retryable: false })
    }
    expect(peer.sockets.length).toBe(1)
  })

  test('the client reconnects at once after 42xx, when bye says, and with growing waits after other codes', async () => {
    const truth = createTruth(messages(1))
    const hour = { firstMs: 3_600_000, maxMs: 3_600_000 }
    const cases = [
      { closing: { code: 4200, reason: 'rebalance' }, waits: hour },
      { closing: { code: 4101, reason: 'slow', retryMs: [80, 90] }, waits: hour },
      { closing: { code: 4100, reason: 'internal' }, waits: backoff },
      { closing: { code: 4105, reason: 'frames-exceeded', retryMs: [80, 90] }, waits: hour },
      { closing: { code: 1001, reason: 'away' }, waits: backoff },
    ]
    for (const { closing, waits } of cases) {
      const opened: number[] = []
      await using peer = startPeer({
        onOpen: () => opened.push(performance.now()),
        async onFrame(socket, frame) {
          if (socket.number > 0) return await wellBehaved(truth)(socket, frame)
          socket.send({ t: 'bye', ...closing })
          socket.close(closing.code, closing.reason)
        },
      })
      const states: string[] = []
      await using client = clientOf(peer, {
        backoff: waits,
        onConnection: (state) => states.push(state),
      })
      await follow(client.live(c, { cursor: 'cursor-1' }), truth.head)
      expect(states).toEqual(['connecting', 'open', 'waiting', 'connecting', 'open'])
      const [first = 0, second = 0] = opened
      expect(second - first).toBeGreaterThan(closing.retryMs === undefined ? 0 : 79)
    }
  })

  test('an iteration yields the events before a reset, then the reset, and ends', async () => {
    const truth = createTruth(messages(2))
    await using peer = startPeer({
      onFrame: serving((socket, sub) => {
        begin(socket, sub, truth)
        socket.send(change(truth, 1, 2))
        socket.send({ t: 'reset', c, reason: 'cursor-ahead' })
        socket.send(change(truth, 2, 3))
      }),
    })
    await using client = clientOf(peer)
    const events = await Array.fromAsync(client.live(c, { cursor: 'cursor-1' }))
    expect(events.map(({ type }) => type)).toEqual(['change', 'reset'])
    expect(events[1]).toEqual({ type: 'reset', reason: 'cursor-ahead' })
  })

  test('an id that is no UUID throws id-invalid at the first iteration and opens no socket', async () => {
    await using peer = startPeer({ onFrame: () => {} })
    await using client = clientOf(peer)
    const wrong = ['', 'x', '../..', c.slice(1), `${c} `, '\ud800', undefined, null, 5, {}]
    for (const id of wrong) {
      const thrown = await client
        .live(id as never)
        .next()
        .catch((reason) => reason)
      expect([id, thrown.name, thrown.code]).toEqual([id as never, 'Problem', 'id-invalid'])
    }
    expect(peer.sockets).toEqual([])
  })

  test('a refusal that names only the id of a sub or an unsub reaches its subscription', async () => {
    const truth = createTruth(messages(9))
    const refusal = new Problem('field-invalid').body()
    await using peer = startPeer({
      onFrame: (socket, frame) => {
        if (frame.t === 'sub' && frame.c === c) {
          begin(socket, frame, truth)
          // A gap, so that the client unsubscribes.
          socket.send(change(truth, 5, 6))
        } else if ('id' in frame) socket.send({ t: 'problem', id: frame.id, ...refusal })
      },
    })
    await using client = clientOf(peer)
    for (const id of [`${c.slice(0, -1)}b`, c]) {
      const events = client.live(id, { cursor: 'cursor-1', version: 1 })
      expect(await events.next().catch((thrown) => thrown.code)).toBe('field-invalid')
      expect(await events.next()).toEqual({ done: true, value: undefined })
    }
    // The consumer ends the iteration, and the service refuses the `unsub`. The next subscription starts all the same.
    for (let n = 0; n < 2; n += 1) {
      const events = client.live(c, { cursor: 'cursor-5', version: 5 })
      expect((await events.next()).value).toMatchObject({ type: 'change', version: 6 })
      await events.return?.()
    }
    expect(peer.sockets.length).toBe(1)
  })

  test('a missing conversation throws conversation-not-found, and a retryable problem is retried', async () => {
    const bodyOf = (code: ConstructorParameters<typeof Problem>[0]) => new Problem(code).body()
    const truth = createTruth(messages(1))
    let subs = 0
    await using peer = startPeer({
      onFrame: serving(async (socket, sub) => {
        if (sub.c !== c)
          return socket.send({
            t: 'problem',
            id: sub.id,
            c: sub.c,
            ...bodyOf('conversation-not-found'),
          })
        subs += 1
        if (subs > 2) return await wellBehaved(truth)(socket, sub)
        socket.send({ t: 'problem', id: sub.id, c, ...bodyOf('database-unavailable') })
      }),
    })
    await using client = clientOf(peer)
    const missing = client.live(`${c.slice(0, -1)}b`).next()
    expect(await missing.catch((thrown) => thrown.code)).toBe('conversation-not-found')
    expect((await follow(client.live(c, { cursor: 'cursor-1' }), truth.head)).version).toBe(2)
    expect(peer.sockets.length).toBe(1)
  })

  test('a subscription with a busy consumer unsubscribes, and delivers everything in the end', async () => {
    const truth = createTruth(messages(400), 'x'.repeat(1000))
    let sent = 0
    await using peer = startPeer({
      onFrame: serving(async (socket, sub, isOn) => {
        for (let at = begin(socket, sub, truth); at < truth.head && isOn(); at += 1) {
          socket.send(change(truth, at, at + 1))
          sent = at
          await later()
        }
        if (isOn()) socket.send({ t: 'live', c, version: truth.head })
      }),
    })
    await using client = clientOf(peer, { bufferCharacters: 50_000 })
    let stalled = false
    const state = await follow(client.live(c, { cursor: 'cursor-1' }), truth.head, async () => {
      if (stalled) return
      stalled = true
      await until(
        'unsubscribed',
        () => peer.sockets[0]?.received.some(({ t }) => t === 'unsub') === true,
      )
      const stoppedAt = sent
      for (let n = 0; n < 20; n += 1) await later()
      expect(sent).toBeLessThan(stoppedAt + 2)
      // The buffer held at most its bound and the frames that were in flight when it unsubscribed.
      expect(sent).toBeLessThan(100)
    })
    expect(state.messages.length).toBe(400)
    expect(peer.sockets.length).toBe(1)
  })

  test('the client ignores frames of unknown types, and reconnects after a broken frame', async () => {
    const truth = createTruth(messages(2))
    const broken = ['{"t":"change"', '[]', '{"t":5}', JSON.stringify({ t: 'change', c, from: 'x' })]
    await using peer = startPeer({
      onFrame: serving(async (socket, sub) => {
        const text = broken[socket.number]
        if (text === undefined) return await wellBehaved(truth)(socket, sub)
        socket.send({ t: 'of-the-future' })
        socket.send(text)
      }),
    })
    await using client = clientOf(peer)
    await follow(client.live(c, { cursor: 'cursor-1' }), truth.head)
    expect(peer.sockets.length).toBe(broken.length + 1)
  })

  test('a conversation can be followed twice at a time, and again at once after a break', async () => {
    const truth = createTruth(messages(3))
    await using peer = startPeer({ onFrame: wellBehaved(truth) })
    await using client = clientOf(peer)
    const start = { cursor: 'cursor-1' }
    const both = await Promise.all([
      follow(client.live(c, start), truth.head),
      follow(client.live(c.toUpperCase(), { tail: 3 }), truth.head),
    ])
    for (const { messages } of both) expect(messages.length).toBe(3)
    expect(peer.sockets.length).toBe(2)
    for (let n = 0; n < 5; n += 1) {
      for await (const event of client.live(c, start)) {
        expect(event).toMatchObject({ type: 'change', from: 1 })
        break
      }
    }
    expect(peer.sockets.length).toBe(2)
  })

  test('many conversations share one socket, and their unanswered sub frames stay within the credit', async () => {
    const truth = createTruth(messages(1))
    let open = 0
    let openMax = 0
    await using peer = startPeer({
      credit: { frames: 4, bytes: 10_000 },
      onFrame: serving(async (socket, sub) => {
        open += 1
        openMax = Math.max(openMax, open)
        await later()
        open -= 1
        begin(socket, sub, truth)
        socket.send({ ...change(truth, 1, 2), c: sub.c })
      }),
    })
    await using client = clientOf(peer)
    const ids = Array.from({ length: 60 }, () => crypto.randomUUID())
    const firsts = await Promise.all(
      ids.map((id) => client.live(id, { cursor: 'cursor-1' }).next()),
    )
    for (const { value } of firsts) expect(value).toMatchObject({ type: 'change', version: 2 })
    expect(peer.sockets.length).toBe(1)
    expect(openMax).toBeLessThanOrEqual(4)
  })

  test('subscriptions above the limit of one socket use further sockets', async () => {
    const truth = createTruth([])
    await using peer = startPeer({
      limits: { frameBytes: 262_144, subscriptions: 3 },
      onFrame: wellBehaved(truth),
    })
    await using client = clientOf(peer)
    const ids = Array.from({ length: 8 }, (_, n) => `0192f0c1-7c00-7000-8000-00000000000${n}`)
    const all = ids.map((id) => client.live(id))
    // All subscribe at once, before the client knows the limit.
    const firsts = await Promise.all(all.map((events) => events.next()))
    for (const { value } of firsts) expect(value).toMatchObject({ type: 'live' })
    const subs = peer.sockets.map(({ received }) =>
      received.flatMap((one) => ('c' in one ? one.c : [])),
    )
    expect(subs.map(({ length }) => length)).toEqual([3, 3, 2])
    expect(new Set(subs.flat())).toEqual(new Set(ids))
    // Each new connection names the limit again.
    for (const socket of [...peer.sockets]) socket.cut()
    for (const events of all) expect((await events.next()).value).toMatchObject({ type: 'live' })
  })

  test('the client does not reconnect for a conversation that no consumer follows any more', async () => {
    const truth = createTruth([])
    await using peer = startPeer({ onFrame: wellBehaved(truth) })
    const states: string[] = []
    const returned = Promise.withResolvers<void>()
    const options = {
      onConnection: (state: string) => {
        states.push(state)
        if (state === 'waiting') returned.resolve(events.return?.().then(() => {}))
      },
    }
    await using client = clientOf(peer, options)
    const events = client.live(c)
    await events.next()
    peer.sockets[0]?.cut()
    await returned.promise
    await until('it has been given up', () => states.length === 4)
    expect(states).toEqual(['connecting', 'open', 'waiting', 'closed'])
    // A new subscription opens a connection again.
    expect((await client.live(c).next()).value).toMatchObject({ type: 'live' })
    expect(peer.sockets.length).toBe(2)
  })

  test('an aborted signal ends the iteration with its reason, before and after the start', async () => {
    const truth = createTruth(messages(1))
    await using peer = startPeer({ onFrame: wellBehaved(truth) })
    await using client = clientOf(peer)
    const reason = new Error('enough')
    const early = client.live(c, { signal: AbortSignal.abort(reason) })
    expect(await early.next().catch((thrown) => thrown)).toBe(reason)
    const controller = new AbortController()
    const events = client.live(c, { cursor: 'cursor-1', signal: controller.signal })
    await follow({ [Symbol.asyncIterator]: () => ({ next: () => events.next() }) }, truth.head)
    const pending = events.next()
    controller.abort(reason)
    expect(await pending.catch((thrown) => thrown)).toBe(reason)
    expect(await events.next()).toEqual({ done: true, value: undefined })
    await until('unsubscribed', () => peer.sockets[0]?.received.at(-1)?.t === 'unsub')
  })

  test('the state shows the latest partial of each speaker until the message is durable', async () => {
    const truth = createTruth(messages(2))
    const words = (role: string, text: string) => ({ t: 'partial', c, role, text })
    await using peer = startPeer({
      onFrame: serving(async (socket, sub) => {
        begin(socket, sub, truth)
        for (let n = 1; n <= 50; n += 1) socket.send(words('human', `word ${n}`))
        socket.send(words('ai', 'well'))
        socket.send(change(truth, 1, 2))
        socket.send(words('ai', ''))
        socket.send({ t: 'live', c, version: 2 })
      }),
    })
    await using client = clientOf(peer)
    const state = createConversationState()
    const shown: object[] = []
    for await (const event of client.live(c, { cursor: 'cursor-1' })) {
      // The consumer is slower than the partials arrive.
      for (let n = 0; n < 5; n += 1) await later()
      state.apply(event)
      shown.push(state.snapshot().partials)
      if (event.type === 'live') break
    }
    expect(shown).toContainEqual({ human: 'word 50' })
    expect(shown.length).toBeLessThan(30)
    expect(shown.at(-1)).toEqual({})
  })

  test('audio for an earlier message leaves the partial of its speaker in the state', () => {
    const truth = createTruth([...messages(2), { kind: 'touch', which: 1 }, ...messages(2)])
    const state = createConversationState()
    state.apply({ type: 'change', snapshot: false, ...truth.change(0, 3) })
    state.apply({ type: 'partial', role: 'ai', text: 'the next answer' })
    state.apply({ type: 'change', snapshot: false, ...truth.change(3, 4) })
    expect(state.partials).toEqual({ ai: 'the next answer' })
    state.apply({ type: 'change', snapshot: false, ...truth.change(4, 6) })
    expect(state.partials).toEqual({})
  })

  test('a seat leaves the partial of its speaker, and its words remove it', () => {
    const [spoken] = createTruth(messages(1)).change(0, 2).messages
    if (spoken === undefined) throw new Error('The truth has no message')
    for (const seat of ['pending', 'expired'] as const) {
      const state = createConversationState()
      const take = (version: number, message: Message) => {
        const range = { from: version - 1, version, cursor: `cursor-${version}` }
        state.apply({ type: 'change', snapshot: false, ...range, messages: [message] })
      }
      const role = spoken.role
      take(1, { ...spoken, state: 'pending', version: 1 })
      state.apply({ type: 'partial', role, text: 'Is there' })
      take(2, { ...spoken, state: seat, version: 2 })
      expect(state.partials).toEqual({ [role]: 'Is there' })
      take(3, { ...spoken, state: 'filled', version: 3 })
      expect(state.partials).toEqual({})
    }
  })

  test('a lost socket removes the partials from the state', async () => {
    const truth = createTruth(messages(0))
    await using peer = startPeer({
      onFrame: serving((socket, sub) => {
        begin(socket, sub, truth)
        if (socket.number === 0)
          socket.send({ t: 'partial', c, role: 'human', text: 'taken back meanwhile' })
        socket.send({ t: 'live', c, version: truth.head })
      }),
    })
    await using client = clientOf(peer)
    const state = createConversationState()
    const events = client.live(c, { cursor: 'cursor-1', version: 1 })
    const take = async () => {
      const { value } = await events.next()
      if (value !== undefined) state.apply(value)
      return value?.type
    }
    expect([await take(), state.partials]).toEqual(['partial', { human: 'taken back meanwhile' }])
    expect(await take()).toBe('live')
    peer.sockets[0]?.cut()
    expect([await take(), state.partials]).toEqual(['partial', {}])
    expect(await take()).toBe('live')
  })
})
