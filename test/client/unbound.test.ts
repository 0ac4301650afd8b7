/** The client's functions work without their object. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import {
  createClient,
  createConversationState,
  createMemoryJournal,
} from '../../src/client/client.ts'
import { type TestApp, testApp } from '../support/servers/app.ts'

let app: TestApp
let server: ReturnType<TestApp['listen']>
beforeAll(async () => {
  app = await testApp()
  server = app.listen({ host: '127.0.0.1', port: 0 })
}, 60_000)
afterAll(async () => {
  await server.stop(1000)
  await app[Symbol.asyncDispose]()
})

const turn = { user: { text: 'Hello' }, assistant: { responses: ['Hi!'] } }

test('functions of the client, of a voice, of a state and of a journal work unbound', async () => {
  const { append, remove, recovered } = createMemoryJournal()
  const entry = { conversationId: 'c', key: 'k', turn: '{}' }
  await append(entry)
  remove(entry)
  expect(recovered).toEqual([])

  const { createConversation, recordTurn, getHistory, live, record, attach, voice, ...others } =
    createClient({ url: server.url })
  const { settled, partial, close } = others
  const { id } = await createConversation()
  await recordTurn(id, turn)
  await record(id, turn)
  const part = { part: 0, ttsAudioUrl: 'https://a.example/1.mp3' }
  expect(await attach(id, part)).toMatchObject({ messageId: expect.any(String) })

  const { open, complete, interrupt, partial: say, end, started } = voice(id)
  await started
  const { key } = await open()
  say('human', 'Who is')
  partial(id, 'human', 'Who is there?')
  const { assistantMessageId } = await complete(key, turn)
  await interrupt(assistantMessageId ?? '', { parts: 1 })
  await end()
  await settled()

  const { apply, snapshot } = createConversationState()
  for await (const event of live(id, { tail: 10 })) {
    apply(event)
    if (event.type === 'live') break
  }
  expect(snapshot().messages.length).toBe(6)

  const { next, return: stop } = live(id)
  expect(await next()).toMatchObject({ done: false })
  await stop?.()
  expect(await next()).toMatchObject({ done: true })
  expect((await getHistory(id)).messages.length).toBe(6)
  await close()
}, 60_000)

test('every function of the client is a property of its own, so that a spread copies it', async () => {
  await using client = createClient({ url: server.url })
  const copy = { ...client }
  const inherited = Object.entries(copy).filter(([, value]) => typeof value !== 'function')
  expect(inherited).toEqual([])
  expect(await copy.getHealth()).toEqual({ status: 'ok' })
})
