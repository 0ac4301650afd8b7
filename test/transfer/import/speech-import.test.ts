/** Speech in exports and imports: seats, separate halves, interruptions and voice sessions. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createClient, type TurnlogClient } from '../../../src/client/client.ts'
import { type Node, startNode } from '../../support/servers/node.ts'
import { testDatabaseUrl } from '../../support/servers/postgres.ts'
import { until } from '../../support/servers/processes.ts'
import { exportedFrom, importedInto, printed } from '../../support/transfer/transfer.ts'
import { speak } from '../../support/voice/spoken.ts'

let [source, target]: (Node | undefined)[] = []
let [from, to]: (TurnlogClient | undefined)[] = []
const started = <T>(value: T | undefined): T => {
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

/** Returns the values that must be equal in both services. */
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

test('an export from before the release of speech is imported completely', async () => {
  const [source_, target_] = [started(from), started(to)]
  const { id } = await source_.createConversation()
  await source_.recordTurn(id, { user: { text: 'Tea?' }, assistant: { responses: ['Tea.'] } })
  const lines = await exportedFrom(started(source).url, [id])
  const before = JSON.parse(JSON.stringify(lines), (name, value: unknown) =>
    ['state', 'heard', 'interruptedAt', 'speechEndedAt', 'firstAudioAt'].includes(name)
      ? undefined
      : value,
  )
  const { tally } = await importedInto(started(target).url, printed(before))
  expect(tally.isClean()).toBe(true)
  expect(await shown(target_, id)).toEqual(await shown(source_, id))
})

test('a spoken conversation is equal after its import, and a second import changes nothing', async () => {
  const [source_, target_] = [started(from), started(to)]
  const { id } = await source_.createConversation()
  // Two whole turns, in a session that has ended.
  await speak(source_.voice(id, { sessionId: 'call', metadata: { line: 2 } }), () => {})
  const voice = source_.voice(id, { sessionId: 'second' })
  // The turns below have crossing halves, a seat without words, an answer alone and a question
  // alone.
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
    const { tally, reported } = await importedInto(started(target).url, printed(lines))
    expect([tally.isClean(), reported]).toEqual([true, []])
  }
  const lines = await exportedFrom(started(source).url, [id])
  await bring(lines)
  expect(await shown(target_, id)).toEqual(await shown(source_, id))

  const { version } = await target_.getConversation(id)
  await bring(lines)
  expect((await target_.getConversation(id)).version).toBe(version)

  // A later export brings the changes: the missing answer, and an interruption at a later point.
  await voice.complete('last', { assistant: { responses: ['That is all.'] } })
  await voice.interrupt(assistantMessageId ?? '', { characters: 6 })
  await voice.end()
  await bring(await exportedFrom(started(source).url, [id]))
  expect(await shown(target_, id)).toEqual(await shown(source_, id))
}, 30_000)
