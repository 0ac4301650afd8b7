/** Speech through an export: seats, halves that stand apart, what was heard, sessions. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createClient, type TurnlogClient } from '../../../src/client/client.ts'
import { type Node, startNode } from '../../support/servers/node.ts'
import { testDatabaseUrl } from '../../support/servers/postgres.ts'
import { until } from '../../support/servers/processes.ts'
import { exportedFrom, importedInto, printed } from '../../support/transfer/transfer.ts'
import { speak } from '../../support/voice/spoken.ts'

let [source, target]: (Node | undefined)[] = []
let [from, to]: (TurnlogClient | undefined)[] = []
const there = <T>(value: T | undefined): T => {
  if (value === undefined) throw new Error('it has not been started')
  return value
}
beforeAll(async () => {
  source = await startNode({
    DATABASE_URL: await testDatabaseUrl(),
    TURNLOG_VOICE_SEAT_SECONDS: '1',
  })
  target = await startNode({ DATABASE_URL: await testDatabaseUrl() })
  from = createClient({ url: source.url })
  to = createClient({ url: target.url })
}, 30_000)
afterAll(async () => {
  await Promise.all([from?.close(), to?.close()])
  await Promise.all([source?.[Symbol.asyncDispose](), target?.[Symbol.asyncDispose]()])
})

/** What both services show, but for what is new in each. */
async function shown(client: TurnlogClient, id: string) {
  const { messages } = await client.listMessages(id)
  const heard = (await client.getHistory(id, { view: 'heard' })).messages
  const sessions = (await client.listVoiceSessions(id)).voiceSessions
  return {
    messages: messages.map(({ version: _version, turnId, id: _id, ...rest }) => ({
      ...rest,
      partner: messages.find((one) => one.turnId === turnId && one.role !== rest.role)?.seq,
    })),
    heard: heard.map(({ content }) => content),
    sessions: await Promise.all(
      sessions
        .toSorted((a, b) => (a.id < b.id ? -1 : 1))
        .map(async ({ id: session, metadata, endedAt }) => {
          const { figures } = await client.getVoiceSession(id, session)
          return { session, metadata, hasEnded: endedAt !== null, figures }
        }),
    ),
  }
}

test('a file from before speech is read as it was', async () => {
  const [source_, target_] = [there(from), there(to)]
  const { id } = await source_.createConversation()
  await source_.recordTurn(id, { user: { text: 'Tea?' }, assistant: { responses: ['Tea.'] } })
  const lines = await exportedFrom(there(source).url, [id])
  const before = JSON.parse(JSON.stringify(lines), (name, value: unknown) =>
    ['state', 'heard', 'interruptedAt', 'speechEndedAt', 'firstAudioAt'].includes(name)
      ? undefined
      : value,
  )
  const { tally } = await importedInto(there(target).url, printed(before))
  expect(tally.isClean()).toBe(true)
  expect(await shown(target_, id)).toEqual(await shown(source_, id))
})

test('a spoken conversation is the same elsewhere, and importing it again changes nothing', async () => {
  const [source_, target_] = [there(from), there(to)]
  const { id } = await source_.createConversation()
  // Two whole turns, in a session that has ended.
  await speak(source_.voice(id, { sessionId: 'call', metadata: { line: 2 } }), () => {})
  const voice = source_.voice(id, { sessionId: 'second' })
  // Halves that cross, a seat that gets no words, one whose answer alone is there, a question without an answer.
  await voice.open({ key: 'a' })
  await voice.open({ key: 'b' })
  await voice.open({ key: 'nothing' })
  await voice.open({ key: 'answer-only' })
  await voice.complete('b', { assistant: { responses: ['To b.', 'Really.'] } })
  await voice.complete('a', { user: { text: 'a?' }, assistant: { responses: ['To a.'] } })
  const { assistantMessageId } = await voice.complete('b', { user: { text: 'b?' } })
  await voice.interrupt(assistantMessageId ?? '', { characters: 4 })
  await voice.complete('answer-only', { assistant: { responses: ['To nobody.'] } })
  await voice.open({ key: 'last' })
  await voice.complete('last', { user: { text: 'And?' } })
  await until('the seats have expired', async () => {
    const { messages } = await source_.listMessages(id, { include: 'pending' })
    return messages.every(({ state }) => state === 'filled')
  })

  const bring = async (lines: Awaited<ReturnType<typeof exportedFrom>>) => {
    const { tally, said } = await importedInto(there(target).url, printed(lines))
    expect([tally.isClean(), said]).toEqual([true, []])
  }
  const lines = await exportedFrom(there(source).url, [id])
  await bring(lines)
  expect(await shown(target_, id)).toEqual(await shown(source_, id))

  const { version } = await target_.getConversation(id)
  await bring(lines)
  expect((await target_.getConversation(id)).version).toBe(version)

  // What came since is brought by a later export: the answer, and a report that goes further.
  await voice.complete('last', { assistant: { responses: ['That is all.'] } })
  await voice.interrupt(assistantMessageId ?? '', { characters: 6 })
  await voice.end()
  await bring(await exportedFrom(there(source).url, [id]))
  expect(await shown(target_, id)).toEqual(await shown(source_, id))
}, 30_000)
