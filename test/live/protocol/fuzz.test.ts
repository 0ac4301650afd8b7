/** Random frames: each is answered with a documented problem, and no other socket is disturbed. */
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { encodeCursor, newId } from '../../../src/conversation/wire/ids.ts'
import { problemCodes } from '../../../src/problem.ts'
import { LiveClient } from '../../support/live/live.ts'
import { testApp } from '../../support/servers/app.ts'

const isLong = process.env['LIVE'] === 'long'
const frames = Number(process.env['FRAMES'] ?? (isLong ? 1_000_000 : 20_000))
/** How many frames are generated at a time. A million would not fit into memory. */
const chunk = 1000
/**
 * How many frames are sent at a time. With those of the batch before, they stay within the credit.
 */
const batch = 20

const missingId = newId()
const turn = { user: { text: 'Hello' }, assistant: { responses: ['Hello!'] } }

/** Valid frames for a conversation that does not exist. */
const valid: readonly Record<string, unknown>[] = [
  { t: 'sub', id: '1', c: missingId, cursor: encodeCursor(missingId, 7) },
  { t: 'sub', c: missingId, tail: 20 },
  { t: 'unsub', c: missingId },
  { t: 'record', id: '2', key: 'key', c: missingId, turn },
  { t: 'attach', id: '3', c: missingId, ttsAudioUrls: ['https://a.example/1', null] },
  { t: 'attach', c: missingId, part: 0, ttsAudioUrl: 'https://a.example/1' },
  { t: 'turn.open', id: '4', key: 'key', c: missingId, at: '2026-01-01T00:00:00Z' },
  { t: 'turn.complete', id: '5', key: 'key', c: missingId, ...turn },
  {
    t: 'interrupt',
    id: '6',
    c: missingId,
    messageId: missingId,
    heard: { characters: 3, parts: 1 },
  },
  {
    t: 'attach',
    c: missingId,
    key: 'key',
    part: 0,
    ttsAudioUrl: 'https://a.example/1',
    textHash: '0'.repeat(64),
  },
  { t: 'voice.start', id: '7', c: missingId, sessionId: 's', metadata: { room: 1 } },
  { t: 'voice.end', id: '8', c: missingId, sessionId: 's' },
  { t: 'partial', c: missingId, role: 'human', text: 'I would' },
  { t: 'pong' },
  { t: 'auth', token: 'x' },
]

const anything = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom(
    '',
    '\0',
    '\ud800',
    -1,
    1e308,
    null,
    [],
    {},
    '9'.repeat(400),
    encodeCursor(newId(), 1),
  ),
)
const fields = [
  't',
  'id',
  'c',
  'cursor',
  'tail',
  'key',
  'turn',
  'messageId',
  'part',
  'role',
  'user',
  'assistant',
  'heard',
  'textHash',
  'sessionId',
  'metadata',
  '__proto__',
]

/** The text of a valid frame with one field changed, removed or added. */
const mutated = fc
  .tuple(fc.constantFrom(...valid), fc.constantFrom(...fields), anything, fc.boolean())
  .map(([frame, name, value, isGone]) =>
    JSON.stringify(
      Object.fromEntries([
        ...Object.entries(frame).filter(([each]) => each !== name),
        ...(isGone ? [] : [[name, value]]),
      ]),
    ),
  )
/** The text of a valid frame with one character removed or changed. */
const broken = fc
  .tuple(fc.constantFrom(...valid), fc.nat(), fc.string({ unit: 'binary', maxLength: 3 }))
  .map(([frame, place, text]) => {
    const whole = JSON.stringify(frame)
    const at = place % whole.length
    return whole.slice(0, at) + text + (place % 2 === 0 ? whole.slice(at + 1) : '')
  })
const sent = fc.oneof(
  { weight: 100, arbitrary: mutated },
  { weight: 60, arbitrary: broken },
  { weight: 40, arbitrary: fc.string({ unit: 'binary' }) },
  { weight: 40, arbitrary: fc.json() },
  { weight: 40, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  { weight: 1, arbitrary: fc.constantFrom('['.repeat(100_000), '['.repeat(200_000)) },
)

test(
  'random frames are answered with documented problems, and disturb no other socket',
  async () => {
    await using app = await testApp()
    const server = app.listen({ host: '127.0.0.1', port: 0 })
    const { body } = await app.ask('POST', '/v1/conversations', {})
    const c = String(body['id'])
    const other = new LiveClient(server, `?conversation=${c}`)
    const client = new LiveClient(server)
    await Promise.all([other.until('live'), client.opened])
    const codes = new Set<string>()
    const seed = Number(process.env['SEED'] ?? Date.now())
    let made: (string | Uint8Array<ArrayBuffer>)[] = []
    for (let at = 0; at < frames; at += batch) {
      if (at % chunk === 0) made = fc.sample(sent, { numRuns: chunk, seed: seed + at })
      for (const one of made.slice(at % chunk, (at % chunk) + batch)) client.socket.send(one)
      const id = `fence ${at}`
      // `unsubscribed` comes after all immediate answers, the `problem` after all writes before it.
      client.send({ t: 'unsub', id, c })
      client.send({ t: 'attach', id, c: missingId, part: 0, ttsAudioUrl: 'https://a.example/1' })
      const answered = Promise.all([
        client.until('unsubscribed', (frame) => frame.id === id),
        client.until('problem', (frame) => frame.id === id),
      ])
      await answered.catch((error: unknown) => {
        throw new Error(`seed ${seed}, at ${at}: ${client.closed?.reason}`, { cause: error })
      })
      if (client.closed !== undefined) throw new Error(`seed ${seed}: closed`)
      for (const { code } of client.of('problem')) codes.add(code)
      if (at % chunk === 0) {
        await app.ask('POST', `/v1/conversations/${c}/turns`, turn)
        await other.reaches(c, at / chunk + 2)
        other.frames.length = 0
      }
      client.frames.length = 0
    }
    expect({ seed, log: app.log, wrong: other.wrong }).toEqual({ seed, log: [], wrong: undefined })
    // The seed repeats a finding.
    for (const code of codes) expect([seed, ...problemCodes]).toContain(code as never)
    expect([seed, ...codes]).toContain('frame-invalid')
    expect([seed, ...codes]).toContain('conversation-not-found')
    expect([seed, ...codes]).toContain('frame-too-large')
    other.close()
    client.close()
    await server.stop(2000)
  },
  frames * 10,
)
