/** The sequences of docs/PROTOCOL.md, played frame by frame against a real service. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Listening } from '../../../src/http/listen.ts'
import { Sequence, sequencesIn } from '../../support/live/sequence.ts'
import { type TestApp, testApp } from '../../support/servers/app.ts'

const page = readFileSync(join(import.meta.dir, '../../../docs/PROTOCOL.md'), 'utf8')
const sequences = sequencesIn(page)

let app: TestApp
let server: Listening
beforeAll(async () => {
  app = await testApp({ overrides: { voice: { seatSeconds: 1 } } })
  server = app.listen({ host: '127.0.0.1', port: 0 })
}, 60_000)
afterAll(async () => {
  await server.stop(2000)
  await app[Symbol.asyncDispose]()
})

const play = async (block: string) => {
  const { body } = await app.ask('POST', '/v1/conversations', {})
  await new Sequence({ url: server.url, conversationId: String(body['id']) }).play(block)
}

describe('docs/PROTOCOL.md', () => {
  test('PROTOCOL.md has a sequence of resume, lost answer, barge-in, late words and early audio', () => {
    expect([...sequences.keys()]).toEqual([
      'Follow, lose the connection, resume',
      'Record, lose the answer, send again',
      'Barge-in',
      'Late words',
      'Audio before its turn',
    ])
  })

  for (const [title, block] of sequences)
    test(`the service sends the frames of the sequence "${title}"`, async () => {
      await play(block)
    }, 60_000)
})

test('a sequence of PROTOCOL.md fails if one value in a frame of the service is wrong', async () => {
  const block = 'client connects.\nclient ← {"t":"welcome","v":"turnlog.v2",…}'
  const failed = await play(block).catch(String)
  expect(failed).toContain('client received {"t":"welcome"')
})
