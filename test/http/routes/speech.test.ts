/**
 * Mistakes of callers in voice requests: REST and the socket refuse them alike, and nothing is
 * half-written.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Listening } from '../../../src/http/listen.ts'
import { LiveClient } from '../../support/live/live.ts'
import { type TestApp, testApp } from '../../support/servers/app.ts'
import { badSpeech, part, type Scene } from '../../support/voice/bad-speech.ts'

const seatsMax = 20
const attempts = process.env['LIVE'] === 'long' ? 10_000 : 2000
let app: TestApp
let server: Listening
let socket: LiveClient
beforeAll(async () => {
  app = await testApp({
    overrides: { voice: { seatsMax, heldAudioMax: 2 }, limits: { partsMax: 3 } },
  })
  server = app.listen({ host: '127.0.0.1', port: 0 })
  socket = new LiveClient(server)
  await socket.until('welcome')
})
afterAll(async () => {
  socket.close()
  await server.stop(2000)
  await app[Symbol.asyncDispose]()
})

/**
 * A conversation with a recorded turn, an opened one, one with both halves, and a session that has
 * ended.
 */
async function scene(): Promise<Scene> {
  const { body } = await app.ask('POST', '/v1/conversations', {})
  const conversationId = String(body['id'])
  const at = `/v1/conversations/${conversationId}`
  const keyed = (key: string) => ({ 'idempotency-key': key })
  const turn = { user: { text: 'Tea?' }, assistant: { responses: ['Tea.', 'With milk?', 'No.'] } }
  const recorded = await app.ask('POST', `${at}/turns`, turn, keyed('recorded'))
  await app.ask('POST', `${at}/turns/open`, {}, keyed('open'))
  await app.ask('POST', `${at}/turns/open`, {}, keyed('done'))
  await app.ask('POST', `${at}/turns/complete`, { user: { text: 'Tea' } }, keyed('done'))
  await app.ask(
    'POST',
    `${at}/turns/complete`,
    { assistant: { responses: ['Tea it is.'] } },
    keyed('done'),
  )
  await app.ask('POST', `${at}/voice-sessions`, { id: 'over' })
  await app.ask('POST', `${at}/voice-sessions/over/end`)
  return {
    c: conversationId,
    at,
    human: String(recorded.body['humanMessageId']),
    ai: String(recorded.body['assistantMessageId']),
  }
}

describe('voice requests', () => {
  test('a wrong voice request gets the same code over REST and over the socket', async () => {
    const [mine, other] = [await scene(), await scene()]
    await app.ask('POST', `${other.at}/turns/open`, {}, { 'idempotency-key': 'elsewhere' })
    const version = async () => (await app.ask('GET', mine.at)).body['version']
    const before = await version()
    let frames = 0
    for (const [name, of, status, code, pointer] of badSpeech) {
      const { path, body, key, method = 'POST', frame } = of(mine, other)
      const headers = key === undefined ? {} : { 'idempotency-key': key }
      const answer = await app.ask(method, `${mine.at}${path}`, body, headers)
      const pointers = (problem: Record<string, unknown>) =>
        ((problem['errors'] ?? []) as { pointer?: string }[]).map((one) => one.pointer)
      const rest = [name, answer.status, answer.body['code']]
      expect(rest).toEqual([name, status, code])
      if (pointer !== undefined) expect([name, ...pointers(answer.body)]).toContain(pointer)
      frames += 1
      socket.send({ ...frame, id: `${frames}`, c: mine.c })
      const problem = await socket.until('problem', ({ id }) => id === `${frames}`)
      expect([name, problem.status, problem.code]).toEqual(rest as never)
      if (pointer !== undefined) expect([name, ...pointers(problem)]).toContain(pointer)
      expect([name, await version()]).toEqual([name, before])
    }
    expect(app.log).toEqual([])
  })

  test('a conversation never has more open turns than voice.seatsMax, however many requests race', async () => {
    const { body } = await app.ask('POST', '/v1/conversations', {})
    const at = `/v1/conversations/${String(body['id'])}`
    const codes: unknown[] = []
    for (let n = 0; n < attempts; n += 20)
      codes.push(
        ...(await Promise.all(
          Array.from({ length: 20 }, async (_, k) => {
            const key = { 'idempotency-key': `k${n + k}` }
            const answer = await app.ask('POST', `${at}/turns/open`, {}, key)
            return answer.body['code'] ?? answer.status
          }),
        )),
      )
    expect(codes.filter((code) => code === 201).length).toBe(seatsMax)
    expect(codes.filter((code) => code === 'seats-too-many').length).toBe(attempts - seatsMax)
    expect((await app.ask('GET', at)).body).toMatchObject({
      version: 1 + seatsMax,
      lastSeq: seatsMax,
    })
    // A turn that gets its words makes room for another.
    const words = { user: { text: 'Tea' } }
    const { body: page } = await app.ask('GET', `${at}/messages?include=pending&limit=1`)
    expect(page['messages']).toMatchObject([{ seq: 1, state: 'pending' }])
    const first = codes.indexOf(201)
    await app.ask('POST', `${at}/turns/complete`, words, { 'idempotency-key': `k${first}` })
    const again = await app.ask('POST', `${at}/turns/open`, {}, { 'idempotency-key': 'another' })
    expect(again.status).toBe(201)
    expect(app.log).toEqual([])
  }, 60_000)

  test('more waiting audio than voice.heldAudioMax is refused with held-audio-too-much', async () => {
    const { body } = await app.ask('POST', '/v1/conversations', {})
    const at = `/v1/conversations/${String(body['id'])}/tts`
    const attach = (n: number) => app.ask('PUT', at, part({ key: 'k', part: n }))
    const statuses = [(await attach(0)).status, (await attach(1)).status, (await attach(0)).status]
    expect(statuses).toEqual([202, 202, 202])
    const { status, body: refused } = await attach(2)
    expect([status, refused['code']]).toEqual([409, 'held-audio-too-much'])
  })
})
