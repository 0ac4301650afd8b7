/** What the store promises about speech, on whatever database: run against every adapter. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { Decoder } from '../../src/conversation/wire/decode.ts'
import { newId } from '../../src/conversation/wire/ids.ts'
import { localPrincipal as me } from '../../src/conversation/wire/principal.ts'
import type { View } from '../../src/conversation/wire/views.ts'
import type { Database } from '../../src/ports/database.ts'
import { type OpenStore, openStore, refusal, some } from '../support/store.ts'

const decode = new Decoder({
  partsMax: 64,
  traceBytesMax: 65536,
  metadataBytesMax: 16384,
  jsonDepthMax: 32,
  urlsMax: 64,
  aheadSecondsMax: 300,
})

const user = (text: string, more: object = {}) => decode.halves({ user: { text, ...more } })
const assistant = (...responses: string[]) => decode.halves({ assistant: { responses } })
const both = (text: string, ...responses: string[]) =>
  decode.halves({ user: { text }, assistant: { responses } })
const heard = (what: object, at?: string) =>
  decode.interruption({ heard: what, ...(at === undefined ? {} : { at }) })
const hashOf = (text: string) => createHash('sha256').update(text).digest('hex')

export function voiceConformance(name: string, openDatabase: () => Promise<Database>): void {
  describe(`${name}: of speech, the store`, () => {
    let opened: OpenStore
    beforeAll(async () => {
      opened = await openStore(await openDatabase())
    }, 60_000)
    afterAll(async () => {
      await opened[Symbol.asyncDispose]()
    })

    const store = () => opened.store
    const reader = () => opened.reader
    const sessions = () => opened.store.voiceSessions
    const conversation = async () => (await store().createConversation(me, {})).conversation.id
    const open = (id: string, key: string, at?: string) =>
      store().openTurn(me, id, at === undefined ? {} : { at }, key)
    const complete = async (id: string, key: string, halves: ReturnType<typeof both>) =>
      some(await store().completeTurn(me, id, halves, key))
    const shown = async (id: string, view: View = 'said', pending = false) =>
      (await reader().history(me, id, { last: 100, shown: { view, pending } })).messages
    const contents = async (id: string, view: View = 'said') =>
      (await shown(id, view)).map(({ content }) => content)
    const changes = (id: string, since?: string) =>
      reader().changes(me, id, { limit: 100, ...(since === undefined ? {} : { since }) })
    const version = async (id: string) => (await reader().head(me, id)).version
    /** A turn that is recorded at once. */
    const spoken = async (id: string, ...responses: string[]) =>
      some(
        await store().recordTurn(
          me,
          id,
          decode.turn({ user: { text: 'u' }, assistant: { responses } }),
        ),
      ).assistantMessageId
    /** Moves the clocks of what waits in a conversation into the past. */
    const overdue = async (id: string) => {
      for (const text of [
        `UPDATE conversation_messages SET seat_until = now() - interval '1 second' WHERE conversation_id = $1::uuid`,
        `UPDATE voice_sessions SET lease_until = now() - interval '1 second'
         WHERE conversation_id = $1::uuid AND lease_until IS NOT NULL`,
        `UPDATE held_audio SET expires_at = now() - interval '1 second' WHERE conversation_id = $1::uuid`,
      ])
        await opened.database.query({ text, params: [id] })
    }
    const until = async (holds: () => Promise<boolean>) => {
      while (!(await holds())) await Bun.sleep(20)
    }

    describe('opens a turn', () => {
      test('with a seat that takes the next place and a version, and that no history shows', async () => {
        const id = await conversation()
        const seat = await open(id, 'k', '2026-01-02T03:04:05.000006Z')
        expect(seat).toMatchObject({ seq: 1, version: 2, replayed: false })
        expect(seat.message).toMatchObject({
          id: seat.humanMessageId,
          role: 'human',
          state: 'pending',
          parts: [''],
          createdAt: '2026-01-02T03:04:05.000006Z',
        })
        expect(await shown(id)).toEqual([])
        expect(await shown(id, 'said', true)).toEqual([seat.message])
        expect((await changes(id)).messages).toEqual([seat.message])
        expect(await reader().conversation(me, id)).toMatchObject({
          lastSeq: 1,
          lastMessageAt: null,
        })
      })

      test('once for a key, and not for one that recorded a turn', async () => {
        const id = await conversation()
        const seat = await open(id, 'k')
        expect(await open(id, 'k')).toMatchObject({ ...seat, replayed: true })
        await store().recordTurn(me, id, decode.turn({ assistant: { responses: ['a'] } }), 'r')
        expect(await refusal(open(id, 'r'))).toBe('idempotency-conflict')
        const taken = store().recordTurn(
          me,
          id,
          decode.turn({ assistant: { responses: ['a'] } }),
          'k',
        )
        expect(await refusal(taken)).toBe('idempotency-conflict')
        expect(await version(id)).toBe(3)
      })

      test('as often as the bound allows, and again once seats are filled', async () => {
        const id = await conversation()
        for (const n of [1, 2, 3, 4, 5]) await open(id, `k${n}`)
        expect(await refusal(open(id, 'k6'))).toBe('seats-too-many')
        await complete(id, 'k1', user('hello'))
        expect(await open(id, 'k6')).toMatchObject({ seq: 6 })
      })

      test('not in a conversation that is not there, or was erased', async () => {
        expect(await refusal(open(newId(), 'k'))).toBe('conversation-not-found')
        const id = await conversation()
        await open(id, 'k')
        await store().eraseConversation(me, id)
        expect(await refusal(open(id, 'k'))).toBe('conversation-erased')
        expect(await refusal(complete(id, 'k', user('x')))).toBe('conversation-erased')
      })
    })

    describe('completes a turn', () => {
      test('in two halves, the answer before the words', async () => {
        const id = await conversation()
        const seat = await open(id, 'k', '2026-01-02T03:04:05Z')
        const answered = await complete(id, 'k', assistant('a', 'b'))
        expect(answered).toMatchObject({ version: 3, humanMessageId: seat.humanMessageId })
        expect((await shown(id)).map(({ role, seq }) => ({ role, seq }))).toEqual([
          { role: 'ai', seq: 2 },
        ])
        const said = await complete(id, 'k', user('hello', { voice: { sessionId: 's' } }))
        expect(said).toMatchObject({ version: 4, assistantMessageId: answered.assistantMessageId })
        const [human, ai] = await shown(id)
        expect(human).toMatchObject({ seq: 1, state: 'filled', content: 'hello', version: 4 })
        expect(human).toMatchObject({
          createdAt: '2026-01-02T03:04:05.000000Z',
          messageType: 'audio',
        })
        expect(ai).toMatchObject({ seq: 2, turnId: seat.humanMessageId, version: 3 })
        expect(ai).toMatchObject({ createdAt: '2026-01-02T03:04:05.000001Z' })
        expect(await reader().conversation(me, id)).toMatchObject({
          lastMessageAt: '2026-01-02T03:04:05.000001Z',
        })
      })

      test('with both halves in one frame, which is the same as one after the other', async () => {
        const id = await conversation()
        await open(id, 'k')
        const done = await complete(id, 'k', both('hello', 'a'))
        expect(done).toMatchObject({ version: 3, replayed: false })
        expect(await complete(id, 'k', user('hello'))).toMatchObject({ version: 3, replayed: true })
        expect(await complete(id, 'k', assistant('a'))).toMatchObject({
          version: 3,
          replayed: true,
        })
        expect(await version(id)).toBe(3)
      })

      test('not with other words, and nothing of what came with them', async () => {
        const id = await conversation()
        await open(id, 'k')
        await complete(id, 'k', user('hello'))
        expect(await refusal(complete(id, 'k', both('other', 'a')))).toBe('idempotency-conflict')
        expect(await contents(id)).toEqual(['hello'])
        await complete(id, 'k', assistant('a'))
        expect(await refusal(complete(id, 'k', assistant('b')))).toBe('idempotency-conflict')
      })

      test('not where it was never opened, or was recorded', async () => {
        const [id, other] = [await conversation(), await conversation()]
        await open(other, 'k')
        expect(await refusal(complete(id, 'k', user('x')))).toBe('turn-not-open')
        await store().recordTurn(me, id, decode.turn({ assistant: { responses: ['a'] } }), 'r')
        expect(await refusal(complete(id, 'r', user('x')))).toBe('idempotency-conflict')
      })

      test('with nothing where there is nothing to say, and the half stays free', async () => {
        const id = await conversation()
        await open(id, 'k')
        expect(await store().completeTurn(me, id, assistant(''), 'k')).toBeNull()
        await complete(id, 'k', both('hello', '[SPLIT]'))
        await complete(id, 'k', assistant('a'))
        expect(await contents(id)).toEqual(['hello', 'a'])
      })

      test('and its segment, whose human message is the seat', async () => {
        const id = await conversation()
        const { segment } = await store().createSegment(me, id, {})
        const seat = await open(id, 'k')
        const done = await complete(
          id,
          'k',
          decode.halves({
            assistant: { responses: ['a'] },
            segment: { id: segment.id, agentResponse: 'a' },
          }),
        )
        expect(done.messages.map(({ segmentId }) => segmentId)).toEqual([segment.id, segment.id])
        expect(await reader().segment(me, id, segment.id)).toMatchObject({
          userMessageId: seat.humanMessageId,
          lineage: { assistantMessageId: done.assistantMessageId, segmentIds: [segment.id] },
        })
      })

      test('once, when twenty send it at the same moment', async () => {
        const id = await conversation()
        await open(id, 'k')
        const answers = await Promise.all(
          Array.from({ length: 20 }, () => complete(id, 'k', both('hello', 'a'))),
        )
        expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1)
        expect(new Set(answers.map(({ assistantMessageId }) => assistantMessageId)).size).toBe(1)
        expect(await contents(id)).toEqual(['hello', 'a'])
      })
    })

    describe('marks a seat whose words are overdue', () => {
      test('and takes them all the same when they come', async () => {
        const id = await conversation()
        const [first, second] = [await open(id, 'k1'), await open(id, 'k2')]
        await overdue(id)
        await until(async () => (await version(id)) === 5)
        const { messages } = await changes(id, second.cursor)
        expect(messages.map(({ id, state, version }) => ({ id, state, version }))).toEqual([
          { id: first.humanMessageId, state: 'expired', version: 4 },
          { id: second.humanMessageId, state: 'expired', version: 5 },
        ])
        expect(await shown(id, 'said', true)).toEqual([])
        await complete(id, 'k1', both('hello', 'a'))
        expect(await contents(id)).toEqual(['hello', 'a'])
      })
    })

    describe('keeps what was heard', () => {
      test('beside what was said, and a later report widens or narrows it', async () => {
        const id = await conversation()
        const mid = await spoken(id, 'One 🙂 two', 'three')
        const report = (what: object, at: string) => store().interrupt(me, id, mid, heard(what, at))
        await report({ characters: 5, milliseconds: 1500 }, '2026-01-01T00:00:02Z')
        expect(await contents(id, 'heard')).toEqual(['u', 'One 🙂'])
        expect(await contents(id)).toEqual(['u', 'One 🙂 two[SPLIT]three'])
        await report({ parts: 1 }, '2026-01-01T00:00:03Z')
        expect(await contents(id, 'heard')).toEqual(['u', 'One 🙂 two'])
        const at = await version(id)
        await report({ parts: 2 }, '2026-01-01T00:00:03Z')
        await report({ parts: 2 }, '2026-01-01T00:00:01Z')
        expect(await version(id)).toBe(at)
        await report({ parts: 2, text: 'One-two' }, '2026-01-01T00:00:04Z')
        const [, ai] = await shown(id, 'heard')
        expect(ai).toMatchObject({
          content: 'One-two',
          heard: { parts: 2, text: 'One-two' },
          interruptedAt: '2026-01-01T00:00:04.000000Z',
        })
      })

      test('and leaves out what nobody heard, in the heard view alone', async () => {
        const id = await conversation()
        const ids = [await spoken(id, 'a'), await spoken(id, 'b'), await spoken(id, 'c')]
        for (const [index, what] of [
          { characters: 0 },
          { parts: 0 },
          { text: '[SPLIT]' },
        ].entries())
          await store().interrupt(me, id, some(ids[index]), heard(what))
        expect(await contents(id, 'heard')).toEqual(['u', 'u', 'u'])
        expect(await contents(id)).toEqual(['u', 'a', 'u', 'b', 'u', 'c'])
      })

      test('and cuts nothing by milliseconds alone', async () => {
        const id = await conversation()
        const mid = await spoken(id, 'a', 'b')
        await store().interrupt(me, id, mid, heard({ milliseconds: 0 }))
        expect(await contents(id, 'heard')).toEqual(['u', 'a[SPLIT]b'])
      })

      test('once, where the same comes again without a time', async () => {
        const id = await conversation()
        const mid = await spoken(id, 'abc')
        const first = await store().interrupt(me, id, mid, heard({ characters: 1 }))
        const second = await store().interrupt(me, id, mid, heard({ characters: 1 }))
        expect(second).toEqual(first)
      })

      test('within what was said, of messages of the AI that are there', async () => {
        const id = await conversation()
        const mid = await spoken(id, 'a🙂', 'b')
        const report = (what: object, of = mid) => store().interrupt(me, id, of, heard(what))
        expect(await refusal(report({ characters: 4 }))).toBe('heard-out-of-range')
        expect(await refusal(report({ parts: 3 }))).toBe('heard-out-of-range')
        expect(await refusal(report({ parts: 1 }, newId()))).toBe('message-not-found')
        const human = some((await shown(id))[0]).id
        expect(await refusal(report({ parts: 1 }, human))).toBe('message-not-ai')
        expect(await version(id)).toBe(2)
        await report({ characters: 3, parts: 2 })
      })
    })

    describe('joins audio to the part it was made of', () => {
      const audio = (key: string, part: number, text: string, url = `https://a/${key}/${part}`) =>
        decode.attachByKey({ key, part, ttsAudioUrl: url, textHash: hashOf(text) })

      test('that waits for its turn, recorded or completed, and is not for another text', async () => {
        const id = await conversation()
        const at = await version(id)
        for (const key of ['r', 'o']) {
          expect(await store().attachByKey(me, id, audio(key, 0, 'other'))).toHaveProperty(
            'heldUntil',
          )
          expect(await store().attachByKey(me, id, audio(key, 1, 'b'))).toMatchObject({
            version: at,
          })
        }
        const body = decode.turn({ user: { text: 'u' }, assistant: { responses: ['a', 'b'] } })
        const recorded = some(await store().recordTurn(me, id, body, 'r'))
        expect(recorded.messages[1]?.ttsAudioUrls).toEqual([null, 'https://a/r/1'])
        expect(opened.commits.at(-1)?.messages[1]?.ttsAudioUrls).toEqual([null, 'https://a/r/1'])
        await open(id, 'o')
        const completed = await complete(id, 'o', assistant('a', 'b'))
        expect(completed.messages[1]?.ttsAudioUrls).toEqual([null, 'https://a/o/1'])
        expect((await shown(id)).map(({ ttsAudioUrls }) => ttsAudioUrls)).toEqual([
          null,
          [null, 'https://a/r/1'],
          [null, 'https://a/o/1'],
        ])
      })

      test('by key also after its turn, and not where the text is another', async () => {
        const id = await conversation()
        await open(id, 'k')
        expect(await store().attachByKey(me, id, audio('k', 0, 'a'))).toHaveProperty('heldUntil')
        const { assistantMessageId } = await complete(id, 'k', assistant('a', 'b'))
        const late = await store().attachByKey(me, id, audio('k', 1, 'b'))
        expect(late).toMatchObject({ messageId: assistantMessageId })
        expect(await refusal(store().attachByKey(me, id, audio('k', 0, 'b')))).toBe('audio-stale')
        const part = { part: 0, ttsAudioUrl: 'https://a/new', textHash: hashOf('b') }
        const named = store().attachTts(me, id, some(assistantMessageId), decode.attach(part))
        expect(await refusal(named)).toBe('audio-stale')
        expect(await refusal(store().attachByKey(me, id, audio('k', 2, 'c')))).toBe(
          'part-out-of-range',
        )
        expect((await shown(id)).at(-1)?.ttsAudioUrls).toEqual(['https://a/k/0', 'https://a/k/1'])
      })

      test('as much as the bound allows, and not for ever', async () => {
        const id = await conversation()
        for (const part of [0, 1, 2, 3]) await store().attachByKey(me, id, audio('k', part, 'x'))
        await store().attachByKey(me, id, audio('k', 3, 'y'))
        const fifth = () => store().attachByKey(me, id, audio('l', 0, 'x'))
        expect(await refusal(fifth())).toBe('held-audio-too-much')
        await overdue(id)
        await until(async () => {
          try {
            return (await fifth()) !== undefined
          } catch {
            return false
          }
        })
      })

      test('of the latest AI message, also where seats stand behind it', async () => {
        const id = await conversation()
        const mid = await spoken(id, 'a')
        await open(id, 'k')
        const body = decode.attach({ ttsAudioUrls: ['https://a/1'] })
        expect(await store().attachTts(me, id, undefined, body)).toMatchObject({ messageId: mid })
      })
    })

    describe('keeps voice sessions', () => {
      test('that are started and ended once', async () => {
        const id = await conversation()
        const first = await sessions().start(me, id, { id: 's', metadata: { room: 1 } })
        expect(first).toMatchObject({ created: true, version: 2 })
        expect(await sessions().start(me, id, { id: 's' })).toMatchObject({ created: false })
        const other = sessions().start(me, id, { id: 's', metadata: { room: 2 } })
        expect(await refusal(other)).toBe('voice-session-taken')
        const ended = await sessions().end(me, id, 's')
        expect(ended.version).toBe(3)
        expect(await refusal(sessions().end(me, id, 's'))).toBe('voice-session-ended')
        expect(await refusal(sessions().start(me, id, { id: 's' }))).toBe('voice-session-ended')
        expect(await refusal(sessions().end(me, id, 't'))).toBe('voice-session-not-found')
        const { voiceSessions } = await changes(id)
        expect(voiceSessions).toEqual([ended.voiceSession])
      })

      test('that a turn names, and their figures', async () => {
        const id = await conversation()
        const seconds = async (key: string, speechEndedAt: string, firstAudioAt: string) => {
          await open(id, key)
          return some(
            (
              await complete(
                id,
                key,
                decode.halves({
                  user: { text: key, voice: { sessionId: 's', durationSeconds: 2, speechEndedAt } },
                  assistant: { responses: ['a'], firstAudioAt },
                }),
              )
            ).assistantMessageId,
          )
        }
        await seconds('k1', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00.3Z')
        const mid = await seconds('k2', '2026-01-01T00:01:00Z', '2026-01-01T00:01:00.5Z')
        await store().interrupt(me, id, mid, heard({ parts: 0 }))
        await store().recordTurn(
          me,
          id,
          decode.turn({
            user: { text: 'u', voice: { sessionId: 's', durationSeconds: 3 } },
            assistant: { responses: ['a'] },
          }),
        )
        expect(await sessions().get(me, id, 's')).toMatchObject({
          id: 's',
          endedAt: null,
          version: 3,
          figures: { turns: 3, audioSeconds: 7, interruptions: 1, responseMilliseconds: 400 },
        })
        const touched = opened.commits.filter((commit) => commit.conversationId === id)
        expect(touched.filter((commit) => commit.touched === 'more')).toHaveLength(1)
        await sessions().start(me, id, { id: 's', metadata: { declared: true } })
        const page = await sessions().list(me, id, { limit: 10 })
        expect(page.voiceSessions).toMatchObject([{ id: 's', metadata: { declared: true } }])
      })

      test('by page, in the order in which they started', async () => {
        const id = await conversation()
        for (const name of ['b', 'a', 'ü/?']) await sessions().start(me, id, { id: name })
        const first = await sessions().list(me, id, { limit: 2 })
        const second = await sessions().list(me, id, { limit: 2, page: some(first.nextPage) })
        const found = [...first.voiceSessions, ...second.voiceSessions].map((each) => each.id)
        expect(found.toSorted()).toEqual(['a', 'b', 'ü/?'])
        expect(second.nextPage).toBeNull()
      })

      test('that end by themselves once nobody carries them on', async () => {
        const id = await conversation()
        await sessions().start(me, id, { id: 's' }, true)
        await sessions().start(me, id, { id: 'declared only' })
        await overdue(id)
        await sessions().carryOn([{ tenant: me.tenant, c: id, id: 's' }])
        expect(await sessions().lapse(me, id, 's')).toBe(false)
        expect(await sessions().lapse(me, id, 'declared only')).toBe(false)
        await overdue(id)
        await until(async () => (await sessions().get(me, id, 's')).endedAt !== null)
        expect(await sessions().get(me, id, 'declared only')).toMatchObject({ endedAt: null })
      })

      test('that go with their conversation', async () => {
        const id = await conversation()
        await sessions().start(me, id, { id: 's' })
        await store().attachByKey(
          me,
          id,
          decode.attachByKey({
            key: 'k',
            part: 0,
            ttsAudioUrl: 'https://a/1',
            textHash: hashOf('a'),
          }),
        )
        await store().eraseConversation(me, id)
        for (const table of ['voice_sessions', 'held_audio']) {
          const rows = await opened.database.query({
            text: `SELECT 1 AS one FROM ${table} WHERE conversation_id = $1::uuid`,
            params: [id],
          })
          expect(rows).toEqual([])
        }
      })
    })
  })
}
