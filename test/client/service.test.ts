/** The client and a real service on Postgres, over real sockets that are cut. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createClient,
  createConversationState,
  type LiveEvent,
  Problem,
  type TurnlogClient,
} from '../../src/client/client.ts'
import { startNode } from '../support/servers/node.ts'
import { testDatabaseUrl } from '../support/servers/postgres.ts'
import { until } from '../support/servers/processes.ts'
import { startProxy, type TestProxy } from '../support/servers/proxy.ts'

let node: Awaited<ReturnType<typeof startNode>>
let proxy: TestProxy
/** A client without the proxy. Only the clients under test go through the proxy. */
let direct: TurnlogClient
const directory = mkdtempSync(join(tmpdir(), 'turnlog-agent-'))

beforeAll(async () => {
  node = await startNode({ DATABASE_URL: await testDatabaseUrl() })
  proxy = await startProxy(Number(new URL(node.url).port))
  direct = createClient({ url: node.url })
}, 30_000)
afterAll(async () => {
  await direct.close()
  await proxy[Symbol.asyncDispose]()
  await node[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true, force: true })
})

const backoff = { firstMs: 5, maxMs: 50 }
const clientOf = () => createClient({ url: `http://127.0.0.1:${proxy.port}`, backoff })
const turn = (text: string) => ({ user: { text }, assistant: { responses: [`${text}!`] } })

/** Every message of the conversation, from the service. */
async function truthOf(id: string) {
  const { messages } = await direct.getHistory(id)
  return messages
}

/** Applies events to a state, and checks their rules. `upTo` resolves when the state reaches a version. */
function watch(events: AsyncIterable<LiveEvent>) {
  const state = createConversationState()
  const delivered = new Set<string>()
  const kinds: string[] = []
  const ended = (async () => {
    for await (const event of events) {
      kinds.push(event.type)
      if (event.type === 'change') {
        if (state.version > 0) expect(event.from).toBe(state.version)
        for (const { id, version } of event.messages) {
          expect(delivered).not.toContain(`${id}@${version}`)
          delivered.add(`${id}@${version}`)
        }
      }
      state.apply(event)
    }
  })()
  // Prevents an unhandled rejection if no test awaits `ended`.
  ended.catch(() => {})
  return {
    state,
    kinds,
    ended,
    upTo: (version: number) => until(`version ${version}`, () => state.version >= version, 20_000),
  }
}

describe('the client and the service', () => {
  test('no turn is lost, doubled or reordered while connections are cut', async () => {
    const states: string[] = []
    await using client = createClient({
      url: `http://127.0.0.1:${proxy.port}`,
      backoff,
      onConnection: (state) => states.push(state),
    })
    const ids = await Promise.all([1, 2, 3].map(async () => (await direct.createConversation()).id))
    const watchers = ids.map((id) => watch(client.live(id, { tail: 0 })))
    await Promise.all(watchers.map(({ upTo }) => upTo(1)))
    const outcomes: Promise<unknown>[] = []
    const perConversation = 40
    for (let n = 0; n < perConversation; n += 1) {
      for (const id of ids) outcomes.push(client.record(id, turn(`${n}`), { key: `k-${n}` }))
      // Cut while frames are in flight.
      if (n % 5 === 4) {
        await new Promise((resolve) => setImmediate(resolve))
        proxy.cut()
      }
    }
    await Promise.all(outcomes)
    expect(states).toContain('waiting')
    await Promise.all(watchers.map(({ upTo }) => upTo(1 + perConversation)))
    for (const [index, id] of ids.entries()) {
      const messages = await truthOf(id)
      expect(messages.filter(({ role }) => role === 'human').map(({ content }) => content)).toEqual(
        Array.from({ length: perConversation }, (_, n) => `${n}`),
      )
      expect(watchers[index]?.state.messages).toEqual(messages)
    }
  }, 30_000)

  test('a turn is recorded once if the connection is cut at any moment', async () => {
    await using client = clientOf()
    const { id } = await direct.createConversation()
    // The frame that is withheld is the n-th that the service sends after the record.
    for (let n = 0; n < 8; n += 1) {
      let chunks = 0
      proxy.onServerBytes = () => {
        chunks += 1
        return chunks === n ? 'cut' : 'pass'
      }
      const { version } = await client.record(id, turn(`moment ${n}`), { key: `m-${n}` })
      expect(version).toBe(n + 2)
    }
    proxy.onServerBytes = undefined
    expect((await truthOf(id)).length).toBe(16)
  }, 20_000)

  test('a follower sees audio, partials and the erasure as they happen', async () => {
    await using client = clientOf()
    await using speaker = clientOf()
    const { id } = await direct.createConversation({ title: 'call' })
    const watcher = watch(client.live(id, { tail: 10 }))
    await watcher.upTo(1)
    expect(watcher.state.conversation?.title).toBe('call')
    const recorded = await speaker.record(id, turn('hello'))
    await speaker.attach(id, { ttsAudioUrls: ['https://a.example/1.mp3'] })
    await watcher.upTo(3)
    expect(watcher.state.messages[1]?.ttsAudioUrls).toEqual(['https://a.example/1.mp3'])
    expect(await speaker.getHistory(id, { minCursor: recorded.cursor })).toMatchObject({
      version: 3,
    })
    speaker.partial(id, 'human', 'I would')
    await until('the partial arrives', () => watcher.state.partials.human === 'I would')
    speaker.partial(id, 'human', '')
    await until('the partial is removed', () => watcher.state.partials.human === undefined)
    await direct.eraseConversation(id)
    await watcher.ended
    expect(watcher.kinds.slice(-2)).toEqual(['change', 'reset'])
    expect(watcher.state.messages).toEqual([])
    expect(watcher.state.erased).toBe(true)
    const again = await client
      .live(id)
      .next()
      .catch((thrown) => thrown)
    expect(again).toBeInstanceOf(Problem)
    expect(again.code).toBe('conversation-erased')
    const refused = await client.record(id, turn('late')).catch((thrown) => thrown)
    expect(refused.code).toBe('conversation-erased')
  }, 20_000)

  test('a new client resumes at the cursor that an earlier client had stored', async () => {
    const { id } = await direct.createConversation()
    for (const n of [1, 2, 3]) await direct.recordTurn(id, turn(`${n}`))
    const state = createConversationState()
    await using first = clientOf()
    for await (const event of first.live(id, { tail: 2 })) {
      state.apply(event)
      if (event.type === 'live') break
    }
    await direct.recordTurn(id, turn('4'))
    const { cursor = '', version } = state
    await using second = clientOf()
    for await (const event of second.live(id, { cursor, version })) {
      state.apply(event)
      if (event.type === 'live') break
    }
    expect(state.messages.map(({ seq }) => seq)).toEqual([5, 6, 7, 8])
  }, 20_000)

  test('a consumer of live() that pauses gets every change in the end', async () => {
    await using client = createClient({ url: node.url, bufferCharacters: 100_000 })
    const { id } = await direct.createConversation()
    const events = client.live(id, { tail: 0 })
    const state = createConversationState()
    // The consumer takes one event, and then pauses.
    const { value } = await events.next()
    if (value) state.apply(value)
    await Promise.all(
      Array.from({ length: 60 }, (_, n) =>
        direct.recordTurn(id, turn(`${n} ${'x'.repeat(10_000)}`)),
      ),
    )
    for await (const event of events) {
      state.apply(event)
      if (event.type === 'live' && state.version === 61) break
    }
    expect(state.messages).toEqual(await truthOf(id))
  }, 20_000)
})

describe('an agent with a journal in a file', () => {
  test('an agent killed between sending and the answer loses no turn and doubles none', async () => {
    const ids = await Promise.all([1, 2].map(async () => (await direct.createConversation()).id))
    const path = join(directory, 'turns.journal')
    const begun = new Set<string>()
    const recorded = new Map<string, string>()
    const perLife = 25
    const lives = 5
    let cutAnswers = 0
    for (let life = 0; life < lives; life += 1) {
      const isLast = life === lives - 1
      const url = `http://127.0.0.1:${proxy.port}`
      const count = String(isLast ? 0 : perLife)
      const program = join(import.meta.dir, '../support/agent.ts')
      const agent = Bun.spawn(
        [
          process.execPath,
          '--no-env-file',
          program,
          url,
          path,
          ids.join(','),
          String(life * perLife),
          count,
        ],
        { stdout: 'pipe', stderr: 'inherit' },
      )
      let answers = 0
      if (!isLast)
        proxy.onServerBytes = (chunk) => {
          answers += chunk.toString('latin1').split('"t":"recorded"').length - 1
          // The service has recorded the turn, and the agent is killed before the answer arrives.
          if (answers <= 3 + life) return 'pass'
          cutAnswers += 1
          agent.kill('SIGKILL')
          return 'cut'
        }
      const output = await new Response(agent.stdout).text()
      const code = await agent.exited
      proxy.onServerBytes = undefined
      expect(code).toBe(isLast ? 0 : 137)
      for (const line of output.split('\n').filter((one) => one.endsWith('}'))) {
        const { key, outcome } = JSON.parse(line)
        begun.add(key)
        if (outcome !== undefined) recorded.set(key, outcome.humanMessageId)
      }
    }
    expect(cutAnswers).toBeGreaterThanOrEqual(lives - 1)
    const stored = (await Promise.all(ids.map(truthOf))).map((messages) =>
      messages.filter(({ role }) => role === 'human'),
    )
    const texts = stored.flat().map(({ content }) => content)
    // Each turn is stored once, and so is every turn that the agent had put into the journal.
    expect(new Set(texts).size).toBe(texts.length)
    expect([...begun].filter((key) => !texts.includes(key))).toEqual([])
    // The reported messages are stored, in the order in which the agent spoke.
    for (const [key, messageId] of recorded)
      expect(stored.flat().find(({ content }) => content === key)?.id).toBe(messageId)
    for (const messages of stored) {
      const numbers = messages.map(({ content }) => Number(content.slice('turn-'.length)))
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
    }
  }, 30_000)
})
