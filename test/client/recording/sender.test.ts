/** Recording over a socket that breaks: the service records every turn once and in order, whatever was lost. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  type ClientOptions,
  createClient,
  createMemoryJournal,
  type Journal,
  Problem,
} from '../../../src/client/client.ts'
import type { ClientFrame } from '../../../src/client/wire/client-frames.ts'
import {
  conversationId as c,
  type Peer,
  type PeerSocket,
  startPeer,
} from '../../support/live/peer.ts'
import { until } from '../../support/servers/processes.ts'

const backoff = { firstMs: 1, maxMs: 4 }
const clientOf = (peer: Peer, options: Partial<ClientOptions> = {}) =>
  createClient({ url: peer.url, backoff, ...options })

const turn = (text: string) => ({ user: { text }, assistant: { responses: [`${text}!`] } })

type RecordFrame = Extract<ClientFrame, { t: 'record' }>

/** A store like that of the service: a key names one turn of its conversation. */
function createStore() {
  const log = new Map<string, string[]>()
  return {
    log,
    commit({ c, key }: RecordFrame): { version: number; replayed: boolean } {
      const keys = log.get(c) ?? []
      log.set(c, keys)
      const replayed = keys.includes(key)
      if (!replayed) keys.push(key)
      return { version: keys.indexOf(key) + 2, replayed }
    },
  }
}

const recorded = ({ id, c, key }: RecordFrame, to: { version: number; replayed: boolean }) => ({
  t: 'recorded',
  id,
  c,
  cursor: `cursor-${to.version}`,
  humanMessageId: `human-${key}`,
  assistantMessageId: `ai-${key}`,
  ...to,
})

const problem = (code: ConstructorParameters<typeof Problem>[0]) => new Problem(code).body()

/** The service's answer to a write in which it sees no key. It is not retryable. */
const unknownToService = new Problem('outcome-unknown', 'lost', { retryable: false }).body()

const isRecord = (frame: ClientFrame): frame is RecordFrame => frame.t === 'record'

describe('recording over the socket', () => {
  test('no turn is lost, doubled or reordered, whatever happens to its frames', async () => {
    const fates = fc.array(
      fc.constantFrom(
        'fine',
        'cut before',
        'cut after',
        'later',
        'unknown',
        'refused',
        'bye',
        'slow',
      ),
      { maxLength: 30 },
    )
    const turns = fc.array(fc.nat(2), { minLength: 1, maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(turns, fates, async (turns, fates) => {
        const store = createStore()
        const nextFates = [...fates]
        const refused = new Set<string>()
        let line = Promise.resolve()
        const answer = async (socket: PeerSocket, frame: RecordFrame) => {
          const fate = nextFates.shift() ?? 'fine'
          if (!socket.isOpen()) return
          if (fate === 'later')
            socket.send({ t: 'problem', id: frame.id, ...problem('overloaded') })
          else if (fate === 'cut before') socket.cut()
          else if (fate === 'refused' && !store.log.get(frame.c)?.includes(frame.key)) {
            refused.add(frame.key)
            socket.send({ t: 'problem', id: frame.id, ...problem('time-ahead') })
          } else {
            if (fate === 'slow') await new Promise((resolve) => setTimeout(resolve, 2))
            const to = store.commit(frame)
            if (fate === 'cut after') socket.cut()
            else if (fate === 'unknown')
              socket.send({ t: 'problem', id: frame.id, ...unknownToService })
            else if (fate === 'bye') {
              socket.send({ t: 'bye', code: 4200, reason: 'draining', retryMs: [0, 1] })
              socket.close(4200, 'draining')
            } else socket.send(recorded(frame, to))
          }
        }
        await using peer = startPeer({
          // The service handles the frames of one socket in order.
          onFrame(socket, frame) {
            if (isRecord(frame)) line = line.then(() => answer(socket, frame))
          },
        })
        await using client = clientOf(peer)
        const outcomes = await Promise.all(
          turns.map(async (which, n) => {
            const id = `0192f0c1-7c00-7000-8000-00000000000${which}`
            const outcome = await client
              .record(id, turn(`turn ${n}`), { key: `key-${n}` })
              .catch((thrown) => thrown)
            return { id, key: `key-${n}`, outcome }
          }),
        )
        await client.settled()
        for (const { key, outcome } of outcomes)
          if (refused.has(key)) expect(outcome).toMatchObject({ code: 'time-ahead' })
          else expect(outcome).toMatchObject({ assistantMessageId: `ai-${key}` })
        for (const which of [0, 1, 2]) {
          const id = `0192f0c1-7c00-7000-8000-00000000000${which}`
          const accepted = outcomes.filter((one) => one.id === id && !refused.has(one.key))
          expect(store.log.get(id) ?? []).toEqual(accepted.map(({ key }) => key))
        }
      }),
      { numRuns: 120 },
    )
  }, 30_000)

  test('a turn is sent only after the journal has stored it, and is removed after its answer', async () => {
    const stored: string[] = []
    const mayStore = Promise.withResolvers<void>()
    const journal: Journal = {
      ...createMemoryJournal(),
      async append({ key }) {
        await mayStore.promise
        stored.push(key)
      },
      remove: ({ key }) => void stored.splice(stored.indexOf(key), 1),
    }
    const store = createStore()
    const storedAtReceipt: string[][] = []
    await using peer = startPeer({
      onFrame(socket, frame) {
        if (!isRecord(frame)) return
        storedAtReceipt.push([...stored])
        socket.send(recorded(frame, store.commit(frame)))
      },
    })
    const states: string[] = []
    await using client = clientOf(peer, { journal, onConnection: (state) => states.push(state) })
    const outcome = client.record(c, turn('one'), { key: 'one' })
    await until('connected', () => states.includes('open'))
    expect(peer.sockets[0]?.received).toEqual([])
    mayStore.resolve()
    expect((await outcome).version).toBe(2)
    expect(storedAtReceipt).toEqual([['one']])
    expect(stored).toEqual([])
  })

  test('unanswered frames stay within the credit, in number and in bytes', async () => {
    for (const credit of [
      { frames: 3, bytes: 1_000_000 },
      { frames: 100, bytes: 1000 },
    ]) {
      const store = createStore()
      let unanswered = 0
      let bytes = 0
      let maxima = [0, 0]
      await using peer = startPeer({
        credit,
        async onFrame(socket, frame) {
          if (!isRecord(frame)) return
          unanswered += 1
          bytes += JSON.stringify(frame).length
          maxima = [Math.max(maxima[0] ?? 0, unanswered), Math.max(maxima[1] ?? 0, bytes)]
          await new Promise((resolve) => setTimeout(resolve, 1))
          unanswered -= 1
          bytes -= JSON.stringify(frame).length
          socket.send(recorded(frame, store.commit(frame)))
        },
      })
      await using client = clientOf(peer)
      await Promise.all(
        Array.from({ length: 40 }, (_, n) =>
          client.record(crypto.randomUUID(), turn('x'), { key: `k${n}` }),
        ),
      )
      expect(store.log.size).toBe(40)
      expect(maxima[0]).toBeLessThanOrEqual(credit.frames)
      expect(maxima[0]).toBeGreaterThan(1)
      expect(maxima[1]).toBeLessThanOrEqual(credit.bytes)
    }
  })

  test('a frame above the service limit is refused with status 413 and not sent', async () => {
    await using peer = startPeer({
      limits: { frameBytes: 2000, subscriptions: 4 },
      onFrame: () => {},
    })
    await using client = clientOf(peer)
    const outcome = await client.record(c, turn('ü'.repeat(1000))).catch((thrown) => thrown)
    expect(outcome).toBeInstanceOf(Problem)
    expect(outcome).toMatchObject({ status: 413, retryable: false })
    expect(peer.sockets[0]?.received).toEqual([])
  })

  test('a frame that is too large does not block the turn behind it', async () => {
    const store = createStore()
    await using peer = startPeer({
      limits: { frameBytes: 2000, subscriptions: 4 },
      onFrame: (socket, frame) =>
        void (isRecord(frame) && socket.send(recorded(frame, store.commit(frame)))),
    })
    await using client = clientOf(peer)
    const refused = client.record(c, turn('ü'.repeat(1000))).catch((thrown) => thrown)
    const next = client.record(c, turn('small'), { key: 'small' })
    expect(await refused).toMatchObject({ code: 'frame-too-large' })
    expect(await next).toMatchObject({ humanMessageId: 'human-small' })
  })

  test('the same turn under the same key is one turn, and another turn is refused with idempotency-conflict', async () => {
    const store = createStore()
    await using peer = startPeer({
      onFrame: (socket, frame) =>
        void (isRecord(frame) && socket.send(recorded(frame, store.commit(frame)))),
    })
    await using client = clientOf(peer)
    const one = client.record(c, turn('one'), { key: 'k' })
    const again = client.record(c.toUpperCase(), turn('one'), { key: 'k' })
    const other = client.record(c, turn('two'), { key: 'k' }).catch((thrown) => thrown)
    expect(await again).toEqual(await one)
    expect(await other).toMatchObject({ code: 'idempotency-conflict' })
    expect(peer.sockets[0]?.received.length).toBe(1)
  })

  test('a turn is refused with journal-full while the journal is full, and recorded once it has room', async () => {
    const store = createStore()
    let answers: (() => void)[] = []
    await using peer = startPeer({
      onFrame: (socket, frame) =>
        void (
          isRecord(frame) && answers.push(() => socket.send(recorded(frame, store.commit(frame))))
        ),
    })
    await using client = clientOf(peer, { journal: createMemoryJournal({ entriesMax: 2 }) })
    const two = [
      client.record(`${c.slice(0, -1)}1`, turn('1')),
      client.record(`${c.slice(0, -1)}2`, turn('2')),
    ]
    const third = await client.record(`${c.slice(0, -1)}3`, turn('3')).catch((thrown) => thrown)
    expect(third).toMatchObject({ code: 'journal-full', retryable: true })
    await until('both sent', () => answers.length === 2)
    for (const release of answers) release()
    answers = []
    await Promise.all(two)
    const fourth = client.record(`${c.slice(0, -1)}3`, turn('4'))
    await until('sent', () => answers.length === 1)
    for (const release of answers) release()
    expect((await fourth).replayed).toBe(false)
  })

  test('a waiting turn rejects when the client is closed or its connection is refused', async () => {
    await using peer = startPeer({
      onFrame(socket) {
        if (socket.number === 0) return
        socket.send({ t: 'bye', code: 4003, reason: 'version' })
        socket.close(4003, 'version')
      },
    })
    const client = clientOf(peer)
    const waiting = client.record(c, turn('one')).catch((thrown) => thrown)
    await until('sent', () => peer.sockets[0]?.received.length === 1)
    await client.close()
    expect((await waiting).name).toBe('AbortError')
    expect((await client.record(c, turn('two')).catch((thrown) => thrown)).name).toBe('AbortError')
    await using other = clientOf(peer)
    const refused = await other.record(c, turn('one')).catch((thrown) => thrown)
    expect(refused).toMatchObject({ code: 'connection-refused', retryable: false })
  })

  test('a turn opens a new connection if the last one was lost while no write waited', async () => {
    const store = createStore()
    const states: string[] = []
    await using peer = startPeer({
      onFrame(socket, frame) {
        if (!isRecord(frame)) return
        // The first connection breaks while a turn waits.
        if (socket.number === 0) socket.cut()
        else socket.send(recorded(frame, store.commit(frame)))
      },
    })
    await using client = clientOf(peer, { onConnection: (state) => states.push(state) })
    await client.record(c, turn('one'))
    peer.sockets[1]?.cut()
    await until('lost', () => states.at(-1) === 'closed')
    expect((await client.record(c, turn('two'))).replayed).toBe(false)
    expect(peer.sockets.length).toBe(3)
  })

  test('after the service refused the connection, another turn with the same idempotency key is still refused', async () => {
    let welcome = false
    const store = createStore()
    await using peer = startPeer({
      onOpen(socket) {
        if (welcome) return
        socket.send({ t: 'bye', code: 4003, reason: 'version' })
        socket.close(4003, 'version')
      },
      onFrame: (socket, frame) =>
        void (isRecord(frame) && socket.send(recorded(frame, store.commit(frame)))),
    })
    await using client = clientOf(peer)
    const refused = await client.record(c, turn('one'), { key: 'k' }).catch((thrown) => thrown)
    expect(refused).toMatchObject({ code: 'connection-refused' })
    welcome = true
    const other = await client.record(c, turn('two'), { key: 'k' }).catch((thrown) => thrown)
    expect(other).toMatchObject({ code: 'idempotency-conflict' })
    expect((await client.record(c, turn('one'), { key: 'k' })).replayed).toBe(false)
    expect((await client.record(c, turn('one'), { key: 'k' })).replayed).toBe(true)
  })

  test('an attach without a message id is sent once, over the first connection that the service welcomes', async () => {
    const attached: string[] = []
    const states: string[] = []
    await using peer = startPeer({
      mute: ({ number }) => number === 0,
      onFrame(socket, frame) {
        if (frame.t !== 'attach') return
        attached.push(frame.id)
        const { id } = frame
        socket.send({ t: 'attached', id, c, version: 3, cursor: 'cursor-3', messageId: 'm1' })
      },
    })
    await using client = clientOf(peer, { onConnection: (state) => states.push(state) })
    const latest = client.attach(c, { ttsAudioUrls: ['https://a.example/1.mp3'] })
    await until('connected', () => peer.sockets.length === 1)
    // The attach was not written to this socket, so that the next connection may send it.
    peer.sockets[0]?.cut()
    expect(await latest).toMatchObject({ version: 3 })
    expect(attached.length).toBe(1)
  })

  test('a write larger than the whole journal is refused with journal-full, not retryable', async () => {
    await using peer = startPeer({ onFrame: () => {} })
    await using client = clientOf(peer, { journal: createMemoryJournal({ bytesMax: 200 }) })
    const never = await client.record(c, turn('x'.repeat(300))).catch((thrown) => thrown)
    expect(never).toMatchObject({ code: 'journal-full', retryable: false })
  })

  test('audio keeps its order with the turns, and an attach without a message id is not sent twice', async () => {
    const store = createStore()
    const order: string[] = []
    await using peer = startPeer({
      onFrame(socket, frame) {
        order.push(frame.t)
        if (isRecord(frame)) socket.send(recorded(frame, store.commit(frame)))
        else if (frame.t === 'attach' && socket.number === 0) socket.cut()
        else if (frame.t === 'attach') {
          const { id, messageId } = frame
          socket.send({ t: 'attached', id, c, version: 3, cursor: 'cursor-3', messageId })
        }
      },
    })
    await using client = clientOf(peer)
    const audio = { ttsAudioUrls: ['https://a.example/1.mp3'] }
    const turnOne = client.record(c, turn('one'))
    const latest = client.attach(c, audio).catch((thrown) => thrown)
    const named = client.attach(c, { ...audio, messageId: 'm1' })
    expect((await turnOne).version).toBe(2)
    expect(await latest).toMatchObject({ code: 'outcome-unknown', retryable: false })
    expect(await named).toMatchObject({ version: 3, messageId: 'm1' })
    expect(order).toEqual(['record', 'attach', 'attach'])
  })

  test('the client sends the latest partial of each speaker, at most 25 a second', async () => {
    const partials: string[] = []
    await using peer = startPeer({
      onFrame: (_, frame) =>
        void (frame.t === 'partial' && partials.push(`${frame.role} ${frame.text}`)),
    })
    const states: string[] = []
    await using client = clientOf(peer, { onConnection: (state) => states.push(state) })
    client.partial(c, 'human', 'nobody listens')
    const listening = client.live(c).next()
    await until('connected', () => states.includes('open'))
    for (let n = 1; n <= 200; n += 1) client.partial(c, 'human', `word ${n}`)
    client.partial(c, 'ai', 'well')
    await until('the last words', () => partials.includes('human word 200'))
    expect(partials).toEqual(['human word 1', 'ai well', 'human word 200'])
    await client.close()
    expect((await listening.catch((thrown) => thrown)).name).toBe('AbortError')
  })
})
