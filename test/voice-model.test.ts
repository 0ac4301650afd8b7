/** Random schedules of spoken turns over two nodes, against a model that fits on a page. */
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { createDecoder } from '../src/conversation/decode.ts'
import { newId } from '../src/conversation/ids.ts'
import { localPrincipal as me } from '../src/conversation/principal.ts'
import type { Message } from '../src/conversation/wire.ts'
import { Problem } from '../src/problem.ts'
import { openPostgres } from './support/databases.ts'
import { testDatabaseUrl } from './support/postgres.ts'
import { type OpenStore, openStore } from './support/store.ts'
import {
  answerParts,
  type Heard,
  hashOf,
  type Step,
  urlOf,
  userText,
  VoiceModel,
} from './support/voice-model.ts'

const runs = Number(process.env['SCHEDULES'] ?? 150)

const decode = createDecoder({
  partsMax: 64,
  traceBytesMax: 65536,
  metadataBytesMax: 16384,
  jsonDepthMax: 32,
  urlsMax: 64,
  aheadSecondsMax: 300,
})

const key = fc.integer({ min: 0, max: 3 })
const words = fc.integer({ min: 0, max: 2 })
const half = fc.option(words)

const heard: fc.Arbitrary<Heard> = fc.oneof(
  fc.record({ parts: fc.integer({ min: 0, max: 4 }) }),
  fc.record({ characters: fc.integer({ min: 0, max: 30 }) }),
  fc.record({ text: fc.constantFrom('', 'in other words') }),
)

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('open' as const), key }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('record' as const), key, words }) },
  {
    weight: 6,
    arbitrary: fc
      .record({ do: fc.constant('complete' as const), key, user: half, assistant: half })
      .filter(({ user, assistant }) => user !== null || assistant !== null),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      ...{ do: fc.constant('heard' as const), key, heard },
      at: fc.integer({ min: 0, max: 9 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      ...{ do: fc.constant('audio' as const), key, words },
      part: fc.integer({ min: 0, max: 2 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('expire' as const) }) },
)

const schedule = fc.array(
  fc.record({ step, node: fc.nat(1), how: fc.constantFrom('once', 'again', 'at once') }),
  { minLength: 6, maxLength: 24, size: 'max' },
)

const nameOf = (n: number) => `turn-${n}`

async function outcomeOf(work: () => Promise<object | null>): Promise<string> {
  try {
    const answer = await work()
    if (answer === null) return 'nothing'
    if ('heldUntil' in answer) return 'held'
    return 'replayed' in answer && answer.replayed === true ? 'replayed' : 'done'
  } catch (thrown) {
    if (thrown instanceof Problem) return thrown.code
    throw thrown
  }
}

/** Takes the step on one node; answers as the model does. */
function taken({ store, database }: OpenStore, id: string, model: VoiceModel, step: Step) {
  const answer = (words: number) => ({
    responses: answerParts(step.do === 'expire' ? 0 : step.key, words),
  })
  const work = async (): Promise<object | null> => {
    switch (step.do) {
      case 'open':
        return store.openTurn(me, id, {}, nameOf(step.key))
      case 'record': {
        const user = { text: userText(step.key, step.words) }
        const turn = decode.turn({ user, assistant: answer(step.words) })
        return store.recordTurn(me, id, turn, nameOf(step.key))
      }
      case 'complete': {
        const halves = decode.halves({
          ...(step.user === null ? {} : { user: { text: userText(step.key, step.user) } }),
          ...(step.assistant === null ? {} : { assistant: answer(step.assistant) }),
        })
        return store.completeTurn(me, id, halves, nameOf(step.key))
      }
      case 'heard': {
        const at = `2026-01-01T00:00:0${step.at}Z`
        const message = ids.get(`${id}/${model.answerOf(step.key)?.seq}`) ?? newId()
        return store.interrupt(me, id, message, decode.interruption({ heard: step.heard, at }))
      }
      case 'audio':
        return store.attachByKey(
          me,
          id,
          decode.attachByKey({
            key: nameOf(step.key),
            part: step.part,
            ttsAudioUrl: urlOf(step.key, step.part, step.words),
            textHash: hashOf(
              answerParts(step.key, step.words)[step.part] ?? 'a part that is not said',
            ),
          }),
        )
      case 'expire': {
        const text = `SELECT version FROM turnlog_expire_seats_v1($1, $2::uuid, now() + interval '1 day', 100, 1000)`
        await database.query({ text, params: [me.tenant, id] })
        return {}
      }
    }
  }
  return outcomeOf(work)
}

/** Message ids by conversation and place. */
const ids = new Map<string, string>()

const rowsOf = (messages: readonly Message[]) =>
  messages.map(({ seq, role, state, parts, ttsAudioUrls, heard }) => ({
    ...{ seq, role, state, parts, heard },
    urls: ttsAudioUrls,
  }))

test('whatever comes in whatever order on whatever node, places, words, audio and what was heard are right', async () => {
  const url = await testDatabaseUrl()
  await using one = await openStore(await openPostgres(url), { heldAudioMax: 100 })
  await using other = await openStore(await openPostgres(url), { heldAudioMax: 100 })
  const nodes = [one, other]
  let steps = 0
  const property = fc.asyncProperty(schedule, async (schedule) => {
    const { id } = (await one.store.createConversation(me, {})).conversation
    const model = new VoiceModel()
    for (const { step, node, how } of schedule) {
      steps += 1
      const first = nodes[node] ?? one
      const second = nodes[1 - node] ?? other
      const take = (on: OpenStore) => taken(on, id, model, step)
      const got =
        how === 'once'
          ? [await take(first)]
          : how === 'again'
            ? [await take(first), await take(second)]
            : (await Promise.all([take(first), take(second)])).toSorted()
      const wanted = got.map(() => model.take(step))
      expect([step, got]).toEqual([step, how === 'at once' ? wanted.toSorted() : wanted])
      const { messages, version } = await second.reader.changes(me, id, { limit: 1000 })
      expect(version).toBe(model.version)
      for (const message of messages) ids.set(`${id}/${message.seq}`, message.id)
      const inOrder = messages.toSorted((a, b) => a.seq - b.seq)
      expect(rowsOf(inOrder)).toEqual(model.stored())
    }
    const history = async (view: 'said' | 'heard', pending = false) =>
      (await first(nodes).reader.history(me, id, { last: 1000, shown: { view, pending } })).messages
    const isIn = (states: string[]) => model.rows.filter(({ state }) => states.includes(state))
    const seqs = (rows: readonly { seq: number }[]) => rows.map(({ seq }) => seq)
    expect(seqs(await history('said'))).toEqual(seqs(isIn(['filled'])))
    expect(seqs(await history('said', true))).toEqual(seqs(isIn(['filled', 'pending'])))
    const shown = (await history('heard')).map(({ seq, parts }) => ({ seq, parts }))
    expect(shown).toEqual(model.heard())
  })
  await fc.assert(property, { numRuns: runs })
  expect(steps).toBeGreaterThan(runs)
}, 600_000)

const first = (nodes: readonly OpenStore[]): OpenStore => {
  const [node] = nodes
  if (node === undefined) throw new Error('there are two')
  return node
}
