/** Speaking through the client while sockets, agents and nodes die: the recorded conversation is always the same. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient, Problem, type TurnlogClient } from '../../../src/client/client.ts'
import { type Node, startNode } from '../../support/servers/node.ts'
import { testDatabaseUrl } from '../../support/servers/postgres.ts'
import { freePort } from '../../support/servers/processes.ts'
import { startProxy, type TestProxy } from '../../support/servers/proxy.ts'
import { contentOf, speak } from '../../support/voice/spoken.ts'

let env: Record<string, string>
let node: Node
let proxy: TestProxy
/** A client without the proxy. Only the clients under test go through the proxy. */
let direct: TurnlogClient
let expected: Awaited<ReturnType<typeof contentOf>>
const steps: string[] = []
const directory = mkdtempSync(join(tmpdir(), 'turnlog-voice-'))
/** The timeout in milliseconds of a test with one conversation per step and new processes for each. */
const killsMs = 300_000
const backoff = { firstMs: 5, maxMs: 50 }
const newConversation = async () => (await direct.createConversation()).id

beforeAll(async () => {
  env = { DATABASE_URL: await testDatabaseUrl(), PORT: String(await freePort()) }
  node = await startNode(env)
  proxy = await startProxy(Number(env['PORT']))
  direct = createClient({ url: node.url, backoff })
  const id = await newConversation()
  await speak(direct.voice(id, { sessionId: 'call' }), (step) => steps.push(step))
  expected = await contentOf(direct, id)
}, 60_000)
afterAll(async () => {
  await direct.close()
  await proxy[Symbol.asyncDispose]()
  await node[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true, force: true })
})

describe('the recorded words of a voice agent', () => {
  test('a spoken conversation is recorded in order, with its interruptions, its audio and its ended session', () => {
    expect(expected.messages.map(({ seq, role, content }) => [seq, role, content])).toEqual([
      [1, 'human', 'Is there a table?'],
      [2, 'ai', 'Yes, there is.[SPLIT]Shall I take it?'],
      [3, 'human', 'Yes, for two.'],
      [4, 'ai', 'For two.[SPLIT]It is done.'],
    ])
    expect(expected.messages.map(({ ttsAudioUrls }) => ttsAudioUrls?.length ?? 0)).toEqual([
      0, 2, 0, 2,
    ])
    expect(expected.messages.map(({ voiceSessionId }) => voiceSessionId)).toEqual([
      'call',
      null,
      'call',
      null,
    ])
    expect(expected.heard).toEqual(['Is there a table?', 'Yes, the', 'Yes, for two.', 'For two.'])
    expect(expected.sessions).toEqual([['call', true]])
  })

  test(
    'the recorded conversation is the same if the socket is cut at any moment',
    async () => {
      for (let n = 0; n < 2 * steps.length + 2; n += 1) {
        const id = await newConversation()
        await using client = createClient({ url: `http://127.0.0.1:${proxy.port}`, backoff })
        let chunks = 0
        proxy.onServerBytes = () => {
          chunks += 1
          return chunks === n ? 'cut' : 'pass'
        }
        await speak(client.voice(id, { sessionId: 'call' }), () => {})
        expect([n, await contentOf(direct, id)]).toEqual([n, expected])
      }
      proxy.onServerBytes = undefined
    },
    killsMs,
  )

  test(
    'the recorded conversation is the same if the agent is killed at any step and runs again',
    async () => {
      let killed = 0
      for (const [n, killedAt] of steps.entries()) {
        const id = await newConversation()
        const args = [
          join(import.meta.dir, '../../support/voice/spoken-agent.ts'),
          node.url,
          join(directory, `${n}`),
          id,
        ]
        const spawn = () =>
          Bun.spawn([process.execPath, ...args], { stdout: 'pipe', stderr: 'inherit' })
        const first = spawn()
        const decoder = new TextDecoder()
        let output = ''
        for await (const chunk of first.stdout) {
          output += decoder.decode(chunk, { stream: true })
          if (output.includes(`${killedAt}\n`)) first.kill('SIGKILL')
        }
        if ((await first.exited) !== 0) killed += 1
        const second = spawn()
        expect(await second.exited).toBe(0)
        expect([killedAt, await contentOf(direct, id)]).toEqual([killedAt, expected])
      }
      // The agent may have finished the last step before the signal arrived.
      expect(killed).toBeGreaterThanOrEqual(steps.length - 1)
    },
    killsMs,
  )

  test(
    'the recorded conversation is the same if the node is killed at any step and starts again',
    async () => {
      for (const killedAt of steps) {
        const id = await newConversation()
        await using client = createClient({ url: node.url, backoff })
        let restarted: Promise<Node> | undefined
        await speak(client.voice(id, { sessionId: 'call' }), (step) => {
          if (step !== killedAt) return
          node.kill('SIGKILL')
          restarted = node.exited.then(() => startNode(env))
        })
        if (restarted === undefined) throw new Error('it was not killed')
        node = await restarted
        expect([killedAt, await contentOf(direct, id)]).toEqual([killedAt, expected])
      }
    },
    killsMs,
  )
})

describe('Voice', () => {
  test('a voice rejoins its session after each reconnect, until it ends the session', async () => {
    const id = await newConversation()
    await using client = createClient({ url: `http://127.0.0.1:${proxy.port}`, backoff })
    const voice = client.voice(id, { metadata: { room: 1 } })
    await voice.started
    proxy.cut()
    await voice.open()
    expect(await direct.getVoiceSession(id, voice.sessionId)).toMatchObject({
      endedAt: null,
      metadata: { room: 1 },
    })
    await direct.endVoiceSession(id, voice.sessionId)
    // The session is already ended, and `end` resolves all the same.
    await voice.end()
    await client.settled()
  })

  test('a voice session that cannot start rejects `started`, and its turns are still recorded', async () => {
    const id = await newConversation()
    await direct.startVoiceSession(id, { id: 'call' })
    await direct.endVoiceSession(id, 'call')
    const voice = direct.voice(id, { sessionId: 'call' })
    const refused = await voice.started.then(
      () => undefined,
      (reason) => reason,
    )
    expect(refused).toBeInstanceOf(Problem)
    expect(refused).toMatchObject({ code: 'voice-session-ended' })
    const { key, seq } = await voice.open()
    expect(seq).toBe(1)
    expect(await voice.complete(key, { user: { text: 'Hello?' } })).toMatchObject({
      replayed: false,
    })
  })

  test('a half, a key, an audio or an interruption that contradicts the recorded turn is refused', async () => {
    const id = await newConversation()
    const voice = direct.voice(id)
    const { key } = await voice.open()
    await voice.complete(key, { user: { text: 'Tea' } })
    const refused = async (promise: Promise<unknown>) =>
      promise.then(
        () => 'nothing',
        (reason) => (reason instanceof Problem ? reason.code : reason),
      )
    expect(await refused(voice.complete(key, { user: { text: 'Coffee' } }))).toBe(
      'idempotency-conflict',
    )
    expect(await refused(voice.complete('other', { user: { text: 'Tea' } }))).toBe('turn-not-open')
    const { assistantMessageId } = await voice.complete(key, {
      assistant: { responses: ['Tea it is.'] },
    })
    const audio = { part: 0, text: 'Coffee it is.', ttsAudioUrl: 'https://a.example/1' }
    expect(await refused(voice.attach({ key, ...audio }))).toBe('audio-stale')
    expect(await refused(voice.interrupt(assistantMessageId ?? '', { parts: 7 }))).toBe(
      'heard-out-of-range',
    )
    await voice.end()
  })

  test('two reports of one time are both sent, the last one counts, and it can be taken back', async () => {
    const id = await newConversation()
    const voice = direct.voice(id)
    const { key } = await voice.open()
    const { assistantMessageId } = await voice.complete(key, {
      assistant: { responses: ['Tea it is.'] },
    })
    const at = new Date().toISOString()
    const report = (heard: { characters: number } | null) =>
      voice.interrupt(assistantMessageId ?? '', heard, { at })
    const answers = await Promise.all([
      report({ characters: 3 }),
      report({ characters: 6 }),
      report({ characters: 6 }),
    ])
    expect(answers.map(({ changed }) => changed)).toEqual([true, true, true])
    expect(await report({ characters: 6 })).toMatchObject({ changed: false })
    const contents = async () =>
      (await direct.getHistory(id, { view: 'heard' })).messages.map(({ content }) => content)
    expect(await contents()).toEqual(['Tea it'])
    expect(await report(null)).toMatchObject({ changed: true })
    expect(await contents()).toEqual(['Tea it is.'])
    await voice.end()
  })
})
