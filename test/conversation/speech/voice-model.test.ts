/** Random schedules of spoken turns on two nodes, compared with a small model. */
import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { Decoder } from '../../../src/conversation/wire/decode.ts'
import { newId } from '../../../src/conversation/wire/ids.ts'
import { localPrincipal as me } from '../../../src/conversation/wire/principal.ts'
import type { Message, VoiceSession } from '../../../src/conversation/wire/schemas.ts'
import { Problem } from '../../../src/problem.ts'
import { openPostgres } from '../../support/servers/databases.ts'
import { testDatabaseUrl } from '../../support/servers/postgres.ts'
import { type OpenStore, openStore } from '../../support/store.ts'
import { VoiceModel } from '../../support/voice/voice-model.ts'
import {
  heard,
  lapseCalls,
  lapseStep,
  requestStep,
  type Step,
} from '../../support/voice/voice-steps.ts'
import {
  answerParts,
  hashOf,
  heardAt,
  nameOf,
  sessionName,
  spokenText,
  urlOf,
  userOf,
} from '../../support/voice/voice-words.ts'

const runs = Number(process.env['SCHEDULES'] ?? 150)

const decode = new Decoder({
  partsMax: 64,
  traceBytesMax: 65536,
  metadataBytesMax: 16384,
  jsonDepthMax: 32,
  urlsMax: 64,
  aheadSecondsMax: 300,
})

const words = fc.integer({ min: 0, max: 2 })

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 19, arbitrary: requestStep(4, words) },
  { weight: 1, arbitrary: lapseStep },
)

const scheduleOf = (step: fc.Arbitrary<Step>) =>
  fc.array(fc.record({ step, node: fc.nat(1), how: fc.constantFrom('once', 'again', 'at once') }), {
    minLength: 6,
    maxLength: 24,
    size: 'max',
  })

async function outcomeOf(work: () => Promise<object | null>): Promise<string> {
  try {
    const answer = await work()
    if (answer === null) return 'nothing'
    if ('heldUntil' in answer) return 'held'
    if ('changed' in answer && answer.changed === false) return 'unchanged'
    return 'replayed' in answer && answer.replayed === true ? 'replayed' : 'done'
  } catch (thrown) {
    if (thrown instanceof Problem) return thrown.code
    throw thrown
  }
}

/** Takes the step on one node. Returns its outcome in the words of the model. */
function outcomeOnNode({ store, database }: OpenStore, id: string, model: VoiceModel, step: Step) {
  const answer = (words: number) => ({
    responses: answerParts('key' in step ? step.key : 0, words),
  })
  const answerId = (key: number) => ids.get(`${id}/${model.answerOf(key)?.seq}`) ?? newId()
  const lapse = async (text: string, ...params: (string | null)[]) => {
    await database.query({ text, params: [me.tenant, id, ...params] })
    return {}
  }
  const work = async (): Promise<object | null> => {
    switch (step.do) {
      case 'open':
        return store.openTurn(me, id, {}, nameOf(step.key))
      case 'record': {
        const user = userOf(step.key, step.words)
        const turn = decode.turn({ user, assistant: answer(step.words) })
        return store.recordTurn(me, id, turn, nameOf(step.key))
      }
      case 'complete': {
        const halves = decode.halves({
          ...(step.user === null ? {} : { user: userOf(step.key, step.user) }),
          ...(step.assistant === null ? {} : { assistant: answer(step.assistant) }),
        })
        return store.completeTurn(me, id, halves, nameOf(step.key))
      }
      case 'heard': {
        const body = decode.interruption({ heard: step.heard, at: heardAt(step.at) })
        return store.interrupt(me, id, answerId(step.key), body)
      }
      case 'audio': {
        const { key, part, words } = step
        const ttsAudioUrl = urlOf(key, part, words)
        const audio = { part, ttsAudioUrl, textHash: hashOf(spokenText(key, part, words)) }
        return step.by === 'key'
          ? store.attachByKey(me, id, decode.attachByKey({ key: nameOf(key), ...audio }))
          : store.attachTts(me, id, answerId(key), audio)
      }
      case 'start': {
        const body = { id: sessionName(step.session), metadata: { room: step.session } }
        return store.voiceSessions.start(me, id, body, true)
      }
      case 'end':
        return store.voiceSessions.end(me, id, sessionName(step.session))
      case 'expire':
        return lapse(lapseCalls.expire)
      case 'lapse':
        return lapse(lapseCalls.lapse, sessionName(step.session))
    }
  }
  return outcomeOf(work)
}

/** Message ids by conversation and `seq`. */
const ids = new Map<string, string>()

const rowsOf = (messages: readonly Message[]) =>
  messages.map(({ seq, role, state, parts, ttsAudioUrls, heard, voiceSessionId }) => ({
    ...{ seq, role, state, parts, heard },
    urls: ttsAudioUrls,
    session: voiceSessionId,
  }))

const sessionsOf = (sessions: readonly VoiceSession[]) =>
  sessions
    .map(({ id, endedAt }) => ({ id, ended: endedAt !== null }))
    .sort((a, b) => (a.id < b.id ? -1 : 1))

/** Whether two nodes behave as the model in every schedule. `onStep` is called at each step. */
const likeModel = (
  [one, other]: readonly [OpenStore, OpenStore],
  step: fc.Arbitrary<Step>,
  onStep = () => {},
) =>
  fc.asyncProperty(scheduleOf(step), async (schedule) => {
    const nodes = [one, other]
    const { id } = (await one.store.createConversation(me, {})).conversation
    const model = new VoiceModel()
    for (const { step, node, how } of schedule) {
      onStep()
      const first = nodes[node] ?? one
      const second = nodes[1 - node] ?? other
      const take = (on: OpenStore) => outcomeOnNode(on, id, model, step)
      const outcomes =
        how === 'once'
          ? [await take(first)]
          : how === 'again'
            ? [await take(first), await take(second)]
            : (await Promise.all([take(first), take(second)])).toSorted()
      const expected = outcomes.map(() => model.take(step))
      expect([step, outcomes]).toEqual([step, how === 'at once' ? expected.toSorted() : expected])
      const changes = await second.reader.changes(me, id, { limit: 1000 })
      const { messages, version, voiceSessions = [] } = changes
      expect(version).toBe(model.version)
      for (const message of messages) ids.set(`${id}/${message.seq}`, message.id)
      const inOrder = messages.toSorted((a, b) => a.seq - b.seq)
      expect(rowsOf(inOrder)).toEqual(model.stored())
      expect(sessionsOf(voiceSessions)).toEqual(model.sessions())
    }
    const history = async (view: 'said' | 'heard', pending = false) =>
      (await one.reader.history(me, id, { last: 1000, shown: { view, pending } })).messages
    const isIn = (states: string[]) => model.rows.filter(({ state }) => states.includes(state))
    const seqs = (rows: readonly { seq: number }[]) => rows.map(({ seq }) => seq)
    expect(seqs(await history('said'))).toEqual(seqs(isIn(['filled'])))
    expect(seqs(await history('said', true))).toEqual(seqs(isIn(['filled', 'pending'])))
    const shown = (await history('heard')).map(({ seq, parts }) => ({ seq, parts }))
    expect(shown).toEqual(model.heard())
  })

test('random steps on two nodes, in any order, have the positions, words, audio and heard text of the model', async () => {
  const url = await testDatabaseUrl()
  await using one = await openStore(await openPostgres(url), { heldAudioMax: 100 })
  await using other = await openStore(await openPostgres(url), { heldAudioMax: 100 })
  let steps = 0
  const count = () => {
    steps += 1
  }
  await fc.assert(likeModel([one, other], step, count), { numRuns: runs })
  expect(steps).toBeGreaterThan(runs)
}, 600_000)

/** Mistakes in the function that stores reports: its right text, and the wrong one. */
const mistakes: [string, string, string][] = [
  [
    'refuses another measure of the same time',
    'msg.interrupted_at > p_at',
    'msg.interrupted_at >= p_at',
  ],
  ['lets an earlier report replace a later one', 'msg.interrupted_at > p_at', 'false'],
  ['stores the same report again', 'msg.interrupted_at = p_at', 'false'],
  ['takes nothing back', 'heard = p_heard,', 'heard = coalesce(p_heard, msg.heard),'],
  [
    'forgets when a report was taken back',
    'interrupted_at = p_at\n  WHERE',
    'interrupted_at = CASE WHEN p_heard IS NULL THEN NULL ELSE p_at END\n  WHERE',
  ],
  [
    'ignores the second time of what was taken back',
    'AND p_heard IS NULL AND p_at_given',
    'AND false',
  ],
  [
    'counts a change where none is',
    "RETURN QUERY SELECT 'unchanged'",
    "RETURN QUERY SELECT 'interrupted'",
  ],
]

test('the model finds each mistake that is planted in the function of reports', async () => {
  const url = await testDatabaseUrl()
  await using one = await openStore(await openPostgres(url), { heldAudioMax: 100 })
  await using other = await openStore(await openPostgres(url), { heldAudioMax: 100 })
  const path = join(import.meta.dir, '../../../drizzle/functions/turnlog_interrupt_v1.sql')
  const right = readFileSync(path, 'utf8')
  const key = fc.constant(0)
  const steps = fc.oneof(
    fc.constant<Step>({ do: 'record', key: 0, words: 0 }),
    fc.record({ do: fc.constant('heard' as const), key, heard, at: fc.nat(2) }),
  )
  for (const [name, text, instead] of mistakes) {
    expect([name, right.split(text).length]).toEqual([name, 2])
    await one.database.query({ text: right.replace(text, instead), params: [] })
    const details = await fc.check(likeModel([one, other], steps), {
      ...{ numRuns: 200, endOnFailure: true },
    })
    expect([name, details.failed]).toEqual([name, true])
  }
  await one.database.query({ text: right, params: [] })
  await fc.assert(likeModel([one, other], steps), { numRuns: 20 })
}, 120_000)
