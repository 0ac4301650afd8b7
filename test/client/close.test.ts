/** Closing the client at an inconvenient moment leaves no socket open, opens none, and settles every promise. */
import { expect, test } from 'bun:test'
import { once } from 'node:events'
import { createServer } from 'node:net'
import {
  type ClientOptions,
  createClient,
  createMemoryJournal,
  type Journal,
  type TurnlogClient,
} from '../../src/client/client.ts'
import { freePort, until } from '../support/servers/processes.ts'

const id = '0192f0c1-7c00-7000-8000-000000000001'
const turn = { user: { text: 'Hello' }, assistant: { responses: ['Hi!'] } }
const audio = { key: 'k', part: 0, text: 'Hi!', ttsAudioUrl: 'https://a.example/1' }
/** Waits until the hash of a text is ready. Another thread makes it, and ten turns of the event loop suffice. */
const hashReady = async () => {
  await crypto.subtle.digest('SHA-256', new Uint8Array(1))
  for (let n = 0; n < 10; n += 1) await new Promise((resolve) => setImmediate(resolve))
}

/** A client of a port on which nothing listens, with its sockets and its journal entries. */
async function watched(options: Partial<ClientOptions> = {}) {
  const sockets: WebSocket[] = []
  const appended: string[] = []
  const inner = createMemoryJournal()
  const journal: Journal = {
    ...inner,
    async append(entry) {
      appended.push(entry.key)
      await inner.append(entry)
    },
  }
  class Watched extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols)
      sockets.push(this)
    }
  }
  const url = `http://127.0.0.1:${await freePort()}`
  const backoff = { firstMs: 5, maxMs: 50 }
  const client = createClient({ url, backoff, journal, webSocket: Watched, ...options })
  return { client, sockets, appended }
}

const outcomeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'resolved',
    (reason) => reason.name,
  )

/** A value that closes the client while a write prints it. */
const closing = (client: TurnlogClient) => ({
  toJSON() {
    void client.close()
    return 'printed'
  },
})

/** The writes that are running when the client is closed in the same tick. */
const runningWrites: Readonly<Record<string, (client: TurnlogClient) => Promise<unknown>[]>> = {
  'a first attach, whose hash is not known yet': (client) => [client.voice(id).attach(audio)],
  'the same attach twice': (client) => {
    const voice = client.voice(id)
    return [voice.attach(audio), voice.attach(audio)]
  },
  'all other kinds of writes': (client) => {
    const voice = client.voice(id)
    return [
      voice.started,
      voice.open(),
      voice.complete('k', { user: { text: 'Hello' } }),
      voice.interrupt(id, { parts: 1 }),
      voice.end(),
      client.record(id, turn),
      client.attach(id, { ttsAudioUrls: [] }),
      client.live(id).next() as Promise<unknown>,
    ]
  },
}

for (const [name, begin] of Object.entries(runningWrites))
  test(`close rejects a running write and opens no other socket: ${name}`, async () => {
    const { client, sockets, appended } = await watched()
    const outcomes = begin(client).map(outcomeOf)
    const closed = client.close()
    const before = { sockets: sockets.length, appended: appended.length }
    await closed
    expect(await Promise.all(outcomes)).toEqual(Array(outcomes.length).fill('AbortError'))
    await client.settled()
    await hashReady()
    expect({ sockets: sockets.length, appended: appended.length }).toEqual(before)
    expect(sockets.filter(({ readyState }) => readyState < 2)).toEqual([])
  })

test('close rejects a repeated attach while the hash of its text is still being computed and compared', async () => {
  const { client, sockets, appended } = await watched()
  const voice = client.voice(id)
  const outcomes = [outcomeOf(voice.attach(audio))]
  await until('the first one waits in the journal', () => appended.length > 0)
  outcomes.push(outcomeOf(voice.attach(audio)))
  const closed = client.close()
  const before = sockets.length
  await closed
  expect(await Promise.all(outcomes)).toEqual(['AbortError', 'AbortError'])
  await client.settled()
  await hashReady()
  expect([sockets.length, appended.length]).toEqual([before, 1])
})

test('close in a callback of the client leaves no socket open and no reconnect scheduled', async () => {
  // The server accepts connections and never answers, so that a socket of this port stays in its state.
  const silent = createServer().listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const address = silent.address()
  const silentPort = typeof address === 'object' ? address?.port : undefined
  for (const [at, port] of [
    ['connecting', silentPort],
    ['waiting', await freePort()],
  ] as const) {
    const states: string[] = []
    const { client, sockets } = await watched({
      url: `http://127.0.0.1:${port}`,
      onConnection(state) {
        states.push(state)
        if (state === at) void client.close()
      },
    })
    expect(await outcomeOf(client.record(id, turn))).toBe('AbortError')
    await client.settled()
    await hashReady()
    expect(sockets.filter(({ readyState }) => readyState < 2)).toEqual([])
    expect(states.slice(-2)).toEqual([at, 'closed'])
  }
  silent.close()
})

test('close rejects a write whose input is still being turned into JSON', async () => {
  const writes: Readonly<Record<string, (client: TurnlogClient) => Promise<unknown>>> = {
    record: (client) => client.record(id, closing(client) as never),
    attach: (client) => client.attach(id, { ttsAudioUrls: [closing(client) as never] }),
    started: (client) => client.voice(id, { metadata: { a: closing(client) } }).started,
    complete: (client) => client.voice(id).complete('k', { user: closing(client) as never }),
    live: (client) =>
      client.live(id, { tail: closing(client) as never }).next() as Promise<unknown>,
  }
  for (const [name, write] of Object.entries(writes)) {
    const { client, sockets } = await watched()
    expect([name, await outcomeOf(write(client))]).toEqual([name, 'AbortError'])
    await client.settled()
    await hashReady()
    expect(sockets.filter(({ readyState }) => readyState < 2)).toEqual([])
  }
})
