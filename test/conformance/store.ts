/**
 * What the store and the reader promise, on whatever database: run against every adapter.
 * `open` answers a fresh database each time it is called.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { Decoder } from '../../src/conversation/wire/decode.ts'
import { encodeCursor, encodePage, newId } from '../../src/conversation/wire/ids.ts'
import { localPrincipal as me } from '../../src/conversation/wire/principal.ts'
import type { ChangePage, Message, NewTurn, Segment } from '../../src/conversation/wire/schemas.ts'
import type { Commit } from '../../src/conversation/writing/effects.ts'
import type { Database } from '../../src/ports/database.ts'
import { Problem } from '../../src/problem.ts'
import { type OpenStore, openStore, refusal, some } from '../support/store.ts'

const decode = new Decoder({
  partsMax: 64,
  traceBytesMax: 65536,
  metadataBytesMax: 16384,
  jsonDepthMax: 32,
  urlsMax: 64,
  aheadSecondsMax: 300,
})

const turn = (text: string, ...responses: string[]): NewTurn =>
  decode.turn({ user: { text }, assistant: { responses } })

const aiTurn = (...responses: string[]): NewTurn => decode.turn({ assistant: { responses } })

export function storeConformance(name: string, openDatabase: () => Promise<Database>): void {
  describe(`${name}: the store`, () => {
    let opened: OpenStore
    beforeAll(async () => {
      opened = await openStore(await openDatabase())
    }, 60_000)
    afterAll(async () => {
      await opened[Symbol.asyncDispose]()
    })

    const store = () => opened.store
    const reader = () => opened.reader
    const conversation = async () => (await store().createConversation(me, {})).conversation.id
    const record = async (id: string, body: NewTurn, key?: string) =>
      some(await store().recordTurn(me, id, body, key))
    const history = async (id: string) => (await reader().history(me, id, { last: 1000 })).messages
    const commitsOf = (id: string) =>
      opened.commits.filter((commit: Commit) => commit.conversationId === id)

    describe('creates a conversation', () => {
      test('at version 1, with nothing in it', async () => {
        const body = { id: newId(), externalId: newId(), title: 'T', metadata: { b: 1, a: [null] } }
        const { conversation, created } = await store().createConversation(me, body)
        expect(created).toBe(true)
        expect(conversation).toMatchObject({ ...body, version: 1, lastSeq: 0, lastMessageAt: null })
        expect(await reader().conversation(me, body.id)).toEqual(conversation)
        expect(commitsOf(body.id)).toHaveLength(1)
      })

      test('at the time that is given, to the microsecond, and else at the time of receipt', async () => {
        const body = { id: newId(), createdAt: '2024-05-20T10:13:21.1234567+02:00' }
        const { conversation } = await store().createConversation(me, body)
        expect(conversation.createdAt).toBe('2024-05-20T08:13:21.123456Z')
        expect(await reader().conversation(me, body.id)).toEqual(conversation)
        expect((await store().createConversation(me, body)).created).toBe(false)
        const other = { ...body, createdAt: '2024-05-20T10:13:22+02:00' }
        for (const changed of [other, { id: body.id }])
          expect(await refusal(store().createConversation(me, changed))).toBe('conversation-taken')
        await record(body.id, turn('a', 'b'))
        const now = await reader().conversation(me, body.id)
        expect(now.createdAt).toBe(conversation.createdAt)
        expect(Date.parse(some(now.lastMessageAt))).toBeGreaterThan(Date.now() - 60_000)
      })

      test('once, when the same body comes again, even after it was changed', async () => {
        const body = { id: newId(), title: 'T' }
        await store().createConversation(me, body)
        await store().patchConversation(me, body.id, { title: 'U' })
        const { conversation, created } = await store().createConversation(me, body)
        expect(created).toBe(false)
        expect(conversation).toMatchObject({ title: 'U', version: 2 })
      })

      test('once, when twenty ask at the same moment', async () => {
        const body = { id: newId(), externalId: newId() }
        const answers = await Promise.all(
          Array.from({ length: 20 }, () => store().createConversation(me, body)),
        )
        expect(answers.filter(({ created }) => created)).toHaveLength(1)
      })

      test('once for an external id without an id', async () => {
        const body = { externalId: newId() }
        const first = await store().createConversation(me, body)
        const second = await store().createConversation(me, body)
        expect(second).toEqual({ conversation: first.conversation, created: false })
      })

      test('not under an id or external id that another body took', async () => {
        const body = { id: newId(), externalId: newId() }
        await store().createConversation(me, body)
        const refused = (other: object) => refusal(store().createConversation(me, other))
        expect(await refused({ ...body, title: 'T' })).toBe('conversation-taken')
        expect(await refused({ externalId: body.externalId, title: 'T' })).toBe('external-id-taken')
        const other = newId()
        expect(await refused({ ...body, id: other })).toBe('external-id-taken')
        expect(await refusal(reader().head(me, other))).toBe('conversation-not-found')
      })

      test('not under an id that another tenant took, which cannot see it', async () => {
        const id = await conversation()
        const other = { ...me, tenant: 'other' }
        expect(await refusal(store().createConversation(other, { id }))).toBe('conversation-taken')
        expect(await refusal(reader().conversation(other, id))).toBe('conversation-not-found')
        expect(await refusal(store().recordTurn(other, id, aiTurn('a')))).toBe(
          'conversation-not-found',
        )
        expect(await refusal(store().eraseConversation(other, id))).toBe('conversation-not-found')
        expect(
          await refusal(store().attachTts(other, id, undefined, { ttsAudioUrls: ['http://a'] })),
        ).toBe('conversation-not-found')
      })
    })

    describe('records', () => {
      test('a human message and its answer, in this order, the answer a microsecond later', async () => {
        const id = await conversation()
        const body = decode.turn({
          user: { text: 'hi[SPLIT]there', at: '2026-01-02T03:04:05.999999Z', metadata: { z: 1 } },
          assistant: {
            responses: ['hello ', 'you[SPLIT]'],
            memoryRetrievalTrace: { lookups: [{ n: 1.5 }] },
            metadata: { model: 'm', ключ: '值' },
          },
        })
        const recorded = await record(id, body)
        const common = {
          conversationId: id,
          version: 2,
          segmentId: null,
          ttsAudioUrls: null,
          state: 'filled',
          heard: null,
          interruptedAt: null,
          speechEndedAt: null,
          firstAudioAt: null,
        } as const
        expect(recorded.messages).toEqual([
          {
            ...common,
            id: some(recorded.humanMessageId),
            turnId: some(recorded.humanMessageId),
            seq: 1,
            role: 'human',
            parts: ['hi[SPLIT]there'],
            content: 'hi[SPLIT]there',
            messageType: 'text',
            voiceSessionId: null,
            durationSeconds: null,
            memoryRetrievalTrace: null,
            metadata: { z: 1 },
            createdAt: '2026-01-02T03:04:05.999999Z',
          },
          {
            ...common,
            id: recorded.assistantMessageId,
            turnId: some(recorded.humanMessageId),
            seq: 2,
            role: 'ai',
            parts: ['hello ', 'you'],
            content: 'hello [SPLIT]you',
            messageType: 'text',
            voiceSessionId: null,
            durationSeconds: null,
            memoryRetrievalTrace: { lookups: [{ n: 1.5 }] },
            metadata: { model: 'm', ключ: '值' },
            createdAt: '2026-01-02T03:04:06.000000Z',
          },
        ])
        expect(recorded).toMatchObject({ version: 2, replayed: false })
        expect(recorded.cursor).toBe(encodeCursor(id, 2))
        expect(await history(id)).toEqual(recorded.messages)
        expect(commitsOf(id).at(-1)).toMatchObject({
          from: 1,
          version: 2,
          messages: recorded.messages,
          touched: 'messages',
        })
        expect(await reader().conversation(me, id)).toMatchObject({
          lastSeq: 2,
          lastMessageAt: '2026-01-02T03:04:06.000000Z',
        })
      })

      test('an AI message alone', async () => {
        const id = await conversation()
        const messageId = await store().recordAiTurn(me, id, ['hello[SPLIT]you', ''])
        const [message, ...others] = await history(id)
        expect(others).toEqual([])
        expect(message).toMatchObject({
          parts: ['hello', 'you'],
          id: some(messageId),
          turnId: some(messageId),
          seq: 1,
          role: 'ai',
        })
      })

      test('a voice turn as audio, with a duration only where it is positive', async () => {
        const id = await conversation()
        const voice = (durationSeconds: number) =>
          decode.turn({
            user: { text: '', voice: { sessionId: 'v', durationSeconds } },
            assistant: { responses: ['a'] },
          })
        for (const seconds of [7, 0, -3]) await record(id, voice(seconds))
        const human = (await history(id)).filter(({ role }) => role === 'human')
        expect(human.map((one) => one.durationSeconds)).toEqual([7, null, null])
        expect(
          human.every((one) => one.messageType === 'audio' && one.voiceSessionId === 'v'),
        ).toBe(true)
        const ai = (await history(id)).filter(({ role }) => role === 'ai')
        expect(ai.every((one) => one.messageType === 'text' && one.voiceSessionId === null)).toBe(
          true,
        )
      })

      test('nothing for an answer without parts, which keeps its key free', async () => {
        const id = await conversation()
        expect(await store().recordTurn(me, id, turn('hi', '[SPLIT]', ''), 'k')).toBeNull()
        expect(await reader().head(me, id)).toMatchObject({ version: 1, lastSeq: 0 })
        expect((await record(id, turn('hi', 'a'), 'k')).replayed).toBe(false)
        expect(await refusal(store().recordTurn(me, newId(), turn('hi')))).toBe(
          'conversation-not-found',
        )
      })

      test('a backdated turn at the end, and lastMessageAt stays', async () => {
        const id = await conversation()
        const at = (time: string) =>
          decode.turn({ user: { text: 'hi', at: time }, assistant: { responses: ['a'] } })
        await record(id, at('2026-01-02T00:00:00Z'))
        await record(id, at('2020-01-02T00:00:00+01:00'))
        expect((await history(id)).map(({ seq, createdAt }) => [seq, createdAt])).toEqual([
          [1, '2026-01-02T00:00:00.000000Z'],
          [2, '2026-01-02T00:00:00.000001Z'],
          [3, '2020-01-01T23:00:00.000000Z'],
          [4, '2020-01-01T23:00:00.000001Z'],
        ])
        expect((await reader().conversation(me, id)).lastMessageAt).toBe(
          '2026-01-02T00:00:00.000001Z',
        )
      })

      test('not into a conversation that does not exist', async () => {
        expect(await refusal(store().recordTurn(me, newId(), turn('hi', 'a')))).toBe(
          'conversation-not-found',
        )
      })

      test('not under a message id that is taken, alone or in one breath', async () => {
        const id = await conversation()
        const given = decode.turn({
          user: { id: newId(), text: 'a' },
          assistant: { id: newId(), responses: ['b'] },
        })
        const both = await Promise.allSettled([
          store().recordTurn(me, id, given),
          store().recordTurn(me, id, given),
        ])
        expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
        expect(await refusal(store().recordTurn(me, id, given))).toBe('id-taken')
        expect(await history(id)).toHaveLength(2)
        // In another conversation the same ids are free.
        expect((await record(await conversation(), given)).messages).toHaveLength(2)
      })

      test('a bad turn fails alone', async () => {
        const id = await conversation()
        const bad = decode.turn({
          user: { text: 'x' },
          assistant: { responses: ['x'] },
          segment: { id: newId() },
        })
        const settled = await Promise.allSettled([
          store().recordTurn(me, id, turn('1', 'a')),
          store().recordTurn(me, id, bad),
          store().recordTurn(me, newId(), turn('2', 'b')),
          store().recordTurn(me, id, turn('3', 'c')),
        ])
        expect(settled.map(({ status }) => status)).toEqual([
          'fulfilled',
          'rejected',
          'rejected',
          'fulfilled',
        ])
        expect((await history(id)).map(({ content }) => content)).toEqual(['1', 'a', '3', 'c'])
        expect((await reader().head(me, id)).version).toBe(3)
      })

      test('one batch as one commit of many turns, in the order in which they came', async () => {
        const id = await conversation()
        await Promise.all(Array.from({ length: 100 }, (_, n) => record(id, turn(`${n}`, 'a'))))
        const texts = (await history(id))
          .filter(({ role }) => role === 'human')
          .map(({ content }) => content)
        expect(texts).toEqual(Array.from({ length: 100 }, (_, n) => `${n}`))
        const commits = commitsOf(id).slice(1)
        expect(commits.length).toBeLessThan(100)
        let version = 1
        for (const commit of commits) {
          expect(commit.from).toBe(version)
          version = commit.version
        }
        expect(version).toBe(101)
      })

      test('any text, part for part', async () => {
        const id = await conversation()
        const text = fc
          .string({ unit: 'grapheme', maxLength: 40 })
          .filter((one) => !one.includes('\0'))
        const nasty = fc.constantFrom(
          'NULL',
          '{}',
          '"',
          '\\',
          ',',
          '{"a"}',
          ' ',
          '\n',
          "'",
          '$1',
          '\u2028',
          '😀',
        )
        const parts = fc.array(fc.oneof(text, nasty), { minLength: 1, maxLength: 64 })
        await fc.assert(
          fc.asyncProperty(fc.oneof(text, nasty), parts, async (human, responses) => {
            const body = decode.turn({ user: { text: human, voice: {} }, assistant: { responses } })
            fc.pre(body.assistant.responses.length > 0)
            const { messages } = await record(id, body)
            const page = await reader().messages(me, id, {
              after: some(messages[0]).seq - 1,
              limit: 2,
              order: 'asc',
            })
            expect(page.messages).toEqual(messages)
            expect(page.messages.map((one) => one.parts)).toEqual([
              [human],
              body.assistant.responses,
            ])
          }),
          { numRuns: 60 },
        )
      })
    })

    describe('an idempotency key', () => {
      test('answers the first result again, with the messages as they now are', async () => {
        const id = await conversation()
        const first = await record(id, turn('hi', 'a', 'b'), 'k')
        const attached = some(
          await store().attachTts(me, id, first.assistantMessageId, {
            part: 1,
            ttsAudioUrl: 'http://a',
          }),
        )
        const again = await record(id, turn('hi', 'a', 'b'), 'k')
        expect(again).toEqual({
          ...first,
          cursor: encodeCursor(id, 3),
          messages: [some(first.messages[0]), attached.message],
          replayed: true,
        })
        expect(commitsOf(id)).toHaveLength(3)
      })

      test('answers the first result, too, where the caller gave the ids', async () => {
        const id = await conversation()
        for (const given of [
          { user: { id: newId(), text: 'hi' }, assistant: { id: newId(), responses: ['a'] } },
          { user: { id: newId(), text: 'hi' }, assistant: { responses: ['a'] } },
          { user: { text: 'hi' }, assistant: { id: newId(), responses: ['a'] } },
          { assistant: { id: newId(), responses: ['a'] } },
        ]) {
          const key = newId()
          const first = await record(id, given, key)
          const commits = commitsOf(id).length
          expect(await record(id, given, key)).toEqual({ ...first, replayed: true })
          expect(commitsOf(id)).toHaveLength(commits)
        }
      })

      test('refuses another body, a human turn and an AI turn alike', async () => {
        const id = await conversation()
        await record(id, turn('hi', 'a'), 'k')
        await record(id, aiTurn('a'), 'ai')
        expect(await refusal(store().recordTurn(me, id, turn('hi', 'b'), 'k'))).toBe(
          'idempotency-conflict',
        )
        expect(await refusal(store().recordTurn(me, id, aiTurn('a'), 'k'))).toBe(
          'idempotency-conflict',
        )
        expect((await record(id, aiTurn('a'), 'ai')).replayed).toBe(true)
        expect(await refusal(store().recordTurn(me, id, turn('hi', 'a'), 'ai'))).toBe(
          'idempotency-conflict',
        )
        expect((await record(await conversation(), turn('hi', 'b'), 'k')).replayed).toBe(false)
      })

      test('takes split and unsplit responses for the same body', async () => {
        const id = await conversation()
        const first = await record(id, turn('hi', 'a', 'b'), 'k')
        const again = await record(id, turn('hi', 'a[SPLIT]b[SPLIT]'), 'k')
        expect([again.version, again.replayed]).toEqual([first.version, true])
      })

      test('records one turn when thirty twins come at once', async () => {
        const id = await conversation()
        const answers = await Promise.all(
          Array.from({ length: 30 }, () => record(id, turn('hi', 'a'), 'k')),
        )
        expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1)
        expect(new Set(answers.map((one) => one.assistantMessageId)).size).toBe(1)
        expect(await history(id)).toHaveLength(2)
      })
    })

    describe('a segment', () => {
      const complete = (segmentId: string, text: string, agentResponse: string) =>
        decode.turn({
          user: { text },
          assistant: { responses: [text] },
          segment: { id: segmentId, agentResponse },
        })

      test('is created once', async () => {
        const id = await conversation()
        const body = { id: newId() }
        const { segment, created } = await store().createSegment(me, id, body)
        expect(created).toBe(true)
        expect(segment).toMatchObject({
          id: body.id,
          conversationId: id,
          version: 2,
          userMessageId: null,
          agentResponse: null,
          lineage: null,
          ttsAudioUrls: null,
        })
        expect(await store().createSegment(me, id, body)).toEqual({ segment, created: false })
        expect((await reader().head(me, id)).version).toBe(2)
      })

      test('is completed with its lineage by the turn that says so, and again by the next', async () => {
        const id = await conversation()
        const { segment } = await store().createSegment(me, id, {})
        for (const text of ['one', 'two']) {
          const recorded = await record(id, complete(segment.id, text, `${text}!`))
          expect(recorded.messages.map((one) => one.segmentId)).toEqual([segment.id, segment.id])
          expect(await reader().segment(me, id, segment.id)).toMatchObject({
            version: recorded.version,
            userMessageId: some(recorded.humanMessageId),
            agentResponse: `${text}!`,
            lineage: {
              conversationId: id,
              userMessageId: some(recorded.humanMessageId),
              assistantMessageId: recorded.assistantMessageId,
              segmentIds: [segment.id],
            },
          })
          expect(commitsOf(id).at(-1)?.touched).toBe('more')
        }
      })

      test('is left to the last of the turns that complete it in one batch', async () => {
        const id = await conversation()
        const { segment } = await store().createSegment(me, id, {})
        const recorded = await Promise.all(
          Array.from({ length: 20 }, (_, n) => record(id, complete(segment.id, `${n}`, `${n}`))),
        )
        const last = some(recorded.at(-1))
        expect(await reader().segment(me, id, segment.id)).toMatchObject({
          agentResponse: '19',
          userMessageId: some(last.humanMessageId),
          version: last.version,
        })
      })

      test('is tagged without being completed', async () => {
        const id = await conversation()
        const { segment } = await store().createSegment(me, id, {})
        const body = decode.turn({ assistant: { responses: ['a'] }, segment: { id: segment.id } })
        expect((await record(id, body)).messages.map((one) => one.segmentId)).toEqual([segment.id])
        expect(await reader().segment(me, id, segment.id)).toEqual(segment)
      })

      test('of another conversation is not found', async () => {
        const id = await conversation()
        const { segment } = await store().createSegment(me, await conversation(), {})
        expect(await refusal(store().recordTurn(me, id, complete(segment.id, 'a', 'b')))).toBe(
          'segment-not-found',
        )
        expect(await refusal(reader().segment(me, id, segment.id))).toBe('segment-not-found')
        await record(id, aiTurn('a'))
        const body = { ttsAudioUrls: ['http://a'], segmentId: segment.id }
        expect(await refusal(store().attachTts(me, id, undefined, body))).toBe('segment-not-found')
        expect((await reader().head(me, id)).version).toBe(2)
      })

      test('is listed with the others in the order of their creation, page by page', async () => {
        const id = await conversation()
        const made: string[] = []
        for (let n = 0; n < 7; n += 1)
          made.push((await store().createSegment(me, id, {})).segment.id)
        const seen: string[] = []
        let page: string | null = null
        do {
          const list = await reader().segments(me, id, {
            limit: 3,
            ...(page === null ? {} : { page }),
          })
          seen.push(...list.segments.map((one) => one.id))
          page = list.nextPage
        } while (page !== null)
        expect(seen).toEqual(made)
      })
    })

    describe('attaches audio', () => {
      test('to the message named, all or part by part', async () => {
        const id = await conversation()
        const { assistantMessageId } = await record(id, turn('hi', 'a', 'b', 'c'))
        await record(id, turn('later', 'd'))
        const attach = async (body: object) =>
          some(await store().attachTts(me, id, assistantMessageId, decode.attach(body)))
        const part = await attach({ part: 1, ttsAudioUrl: 'http://a/1' })
        expect(part.message).toMatchObject({
          ttsAudioUrls: [null, 'http://a/1'],
          version: 4,
          seq: 2,
        })
        expect((await attach({ part: 2, ttsAudioUrl: 'http://a/2' })).message.ttsAudioUrls).toEqual(
          [null, 'http://a/1', 'http://a/2'],
        )
        const all = await attach({ ttsAudioUrls: ['http://b/0', null] })
        expect(all.message.ttsAudioUrls).toEqual(['http://b/0', null])
        expect(all).toMatchObject({
          messageId: assistantMessageId,
          version: 6,
          cursor: encodeCursor(id, 6),
        })
        expect(commitsOf(id).at(-1)).toMatchObject({ from: 5, version: 6, messages: [all.message] })
        expect((await history(id))[1]).toEqual(all.message)
      })

      test('to the latest AI message', async () => {
        const id = await conversation()
        await record(id, turn('hi', 'a'))
        const { assistantMessageId } = await record(id, turn('later', 'd'))
        const attached = some(
          await store().attachTts(me, id, undefined, { ttsAudioUrls: ['http://a'] }),
        )
        expect(attached.messageId).toBe(assistantMessageId)
      })

      test('without a version, a commit or a change where it says nothing new', async () => {
        const id = await conversation()
        const { assistantMessageId } = await record(id, turn('hi', 'a'))
        const body = { ttsAudioUrls: ['http://a'] }
        const first = some(await store().attachTts(me, id, assistantMessageId, body))
        await record(id, turn('later', 'd'))
        const again = some(await store().attachTts(me, id, assistantMessageId, body))
        expect(again).toEqual({ ...first, version: 4, cursor: encodeCursor(id, 4) })
        expect(commitsOf(id)).toHaveLength(4)
      })

      test('and the same to the segment named, unless it is to be left alone', async () => {
        const id = await conversation()
        await record(id, turn('hi', 'a'))
        const { segment } = await store().createSegment(me, id, {})
        const urls = { ttsAudioUrls: ['http://a'], segmentId: segment.id }
        const tagged = some(
          await store().attachTts(me, id, undefined, { ...urls, updateSegment: false }),
        )
        expect(tagged.message).toMatchObject({ segmentId: segment.id, version: 4 })
        expect(await reader().segment(me, id, segment.id)).toEqual(segment)
        const both = some(await store().attachTts(me, id, undefined, urls))
        expect(both.version).toBe(5)
        // The message did not change again: only the segment carries the new version.
        expect(both.message.version).toBe(4)
        expect(await reader().segment(me, id, segment.id)).toMatchObject({
          version: 5,
          ttsAudioUrls: ['http://a'],
        })
      })

      test('nowhere, where there are no URLs or no AI message', async () => {
        const id = await conversation()
        const urls = { ttsAudioUrls: ['http://a'] }
        expect(await store().attachTts(me, id, undefined, urls)).toBeNull()
        const { assistantMessageId } = await record(id, turn('hi', 'a'))
        expect(await store().attachTts(me, id, assistantMessageId, { ttsAudioUrls: [] })).toBeNull()
        expect(
          await store().attachTts(me, id, assistantMessageId, { ttsAudioUrls: [null] }),
        ).toBeNull()
        expect((await reader().head(me, id)).version).toBe(2)
      })

      test('not to a human message, an unknown one, or a part the message does not have', async () => {
        const id = await conversation()
        const { humanMessageId, assistantMessageId } = await record(id, turn('hi', 'a', 'b', 'c'))
        const attach = (messageId: string, body: object) =>
          refusal(store().attachTts(me, id, messageId, decode.attach(body)))
        expect(await attach(some(humanMessageId), { ttsAudioUrls: ['http://a'] })).toBe(
          'message-not-ai',
        )
        expect(await attach(newId(), { ttsAudioUrls: ['http://a'] })).toBe('message-not-found')
        expect(await attach(assistantMessageId, { part: 3, ttsAudioUrl: 'http://a' })).toBe(
          'part-out-of-range',
        )
        expect(
          await attach(assistantMessageId, { part: 2147483647, ttsAudioUrl: 'http://a' }),
        ).toBe('part-out-of-range')
        expect((await reader().head(me, id)).version).toBe(2)
      })

      test('loses no part when all are attached at once', async () => {
        const id = await conversation()
        const { assistantMessageId } = await record(id, turn('hi', ...Array(32).fill('a')))
        await Promise.all(
          Array.from({ length: 32 }, (_, part) =>
            store().attachTts(me, id, assistantMessageId, {
              part,
              ttsAudioUrl: `http://a/${part}`,
            }),
          ),
        )
        expect((await history(id))[1]?.ttsAudioUrls).toEqual(
          Array.from({ length: 32 }, (_, part) => `http://a/${part}`),
        )
        expect((await reader().head(me, id)).version).toBe(34)
      })
    })

    describe('patches a conversation', () => {
      test('member by member, and takes no version where nothing changes', async () => {
        const { conversation } = await store().createConversation(me, {
          externalId: newId(),
          title: 'T',
          metadata: { a: 1, b: { c: 2, d: 3 } },
        })
        const patched = await store().patchConversation(me, conversation.id, {
          title: null,
          metadata: { b: { c: null }, e: [1] },
        })
        expect(patched).toEqual({
          ...conversation,
          title: null,
          metadata: { a: 1, b: { d: 3 }, e: [1] },
          version: 2,
        })
        expect(
          await store().patchConversation(me, conversation.id, { metadata: { e: [1] } }),
        ).toEqual(patched)
        expect(commitsOf(conversation.id)).toHaveLength(2)
      })

      test('only at the version named', async () => {
        const id = await conversation()
        await record(id, turn('hi', 'a'))
        expect(await refusal(store().patchConversation(me, id, { title: 'T' }, 1))).toBe(
          'version-mismatch',
        )
        expect((await store().patchConversation(me, id, { title: 'T' }, 2)).version).toBe(3)
      })

      test('without losing one of twenty patches made at once', async () => {
        const id = await conversation()
        const patch = async (n: number): Promise<unknown> => {
          for (;;) {
            try {
              return await store().patchConversation(me, id, { metadata: { [`m${n}`]: n } })
            } catch (error) {
              if (!(error instanceof Problem) || error.code !== 'conversation-busy') throw error
            }
          }
        }
        await Promise.all(Array.from({ length: 20 }, (_, n) => patch(n)))
        const { metadata, version } = await reader().conversation(me, id)
        expect(Object.keys(some(metadata))).toHaveLength(20)
        expect(version).toBe(21)
      })

      test('and moves its external id, which must be free', async () => {
        const [a, b] = [newId(), newId()]
        const one = (await store().createConversation(me, { externalId: a })).conversation.id
        const two = (await store().createConversation(me, { externalId: b })).conversation.id
        expect(await refusal(store().patchConversation(me, two, { externalId: a }))).toBe(
          'external-id-taken',
        )
        await store().patchConversation(me, one, { externalId: null })
        expect((await store().patchConversation(me, two, { externalId: a })).externalId).toBe(a)
        const found = async (externalId: string) =>
          (await reader().conversations(me, { limit: 10, externalId })).conversations.map(
            ({ id }) => id,
          )
        expect([await found(a), await found(b)]).toEqual([[two], []])
      })

      test('not beyond the bound of metadata, in however many steps', async () => {
        const id = await conversation()
        const patch = (name: string) =>
          store().patchConversation(me, id, { metadata: { [name]: 'x'.repeat(9000) } })
        await patch('a')
        expect(await refusal(patch('b'))).toBe('json-too-large')
        expect((await reader().conversation(me, id)).version).toBe(2)
      })
    })

    describe('erases a conversation', () => {
      test('with a receipt that can be asked for again, and nothing of it is left', async () => {
        const externalId = newId()
        const id = (
          await store().createConversation(me, { externalId, title: 'T', metadata: { a: 1 } })
        ).conversation.id
        const { segment } = await store().createSegment(me, id, {})
        await record(
          id,
          decode.turn({
            user: { text: 'hi' },
            assistant: { responses: ['a'] },
            segment: { id: segment.id, agentResponse: 'a' },
          }),
          'k',
        )
        const receipt = await store().eraseConversation(me, id)
        expect(receipt).toMatchObject({ conversationId: id, version: 4, messages: 2, segments: 1 })
        expect(await store().eraseConversation(me, id)).toEqual(receipt)
        expect(commitsOf(id).at(-1)).toMatchObject({
          from: 3,
          version: 4,
          messages: [],
          touched: 'erased',
        })
        const rows = async (table: string) =>
          opened.database.query<object>({
            text: `SELECT * FROM ${table} WHERE conversation_id = $1::uuid`,
            params: [id],
          })
        for (const table of ['conversation_messages', 'segments', 'conversation_external_ids'])
          expect(await rows(table)).toEqual([])
        // The external id is free; the id never is.
        expect((await store().createConversation(me, { externalId })).created).toBe(true)
        const page = { limit: 10, order: 'asc' } as const
        const everywhere = [
          store().createConversation(me, { id }),
          store().patchConversation(me, id, { title: 'T' }),
          store().recordTurn(me, id, turn('hi', 'a'), 'k'),
          store().recordTurn(me, id, turn('hi')),
          store().createSegment(me, id, {}),
          store().attachTts(me, id, undefined, { ttsAudioUrls: ['http://a'] }),
          reader().head(me, id),
          reader().conversation(me, id),
          reader().messages(me, id, page),
          reader().history(me, id, {}),
          reader().changes(me, id, page),
          reader().segments(me, id, page),
          reader().segment(me, id, segment.id),
        ]
        expect(new Set(await Promise.all(everywhere.map(refusal)))).toEqual(
          new Set(['conversation-erased']),
        )
      })

      test('whole, while turns are being recorded in it', async () => {
        const id = await conversation()
        const turns = Array.from({ length: 50 }, (_, n) =>
          store().recordTurn(me, id, turn(`${n}`, 'a')),
        )
        const settled = Promise.allSettled(turns)
        const receipt = await store().eraseConversation(me, id)
        const recorded = (await settled).filter(({ status }) => status === 'fulfilled').length
        expect(receipt.messages).toBe(recorded * 2)
      })
    })

    describe('reads', () => {
      test('any page of messages as a slice of the history', async () => {
        const id = await conversation()
        for (let n = 0; n < 15; n += 1)
          await record(id, n % 3 === 0 ? aiTurn(`${n}`) : turn(`${n}`, 'a'))
        const all = await history(id)
        const bound = fc.option(fc.nat(all.length + 2), { nil: undefined })
        await fc.assert(
          fc.asyncProperty(
            bound,
            bound,
            fc.integer({ min: 1, max: 30 }),
            fc.constantFrom('asc' as const, 'desc' as const),
            async (after, before, limit, order) => {
              const page = await reader().messages(me, id, {
                limit,
                order,
                ...(after === undefined ? {} : { after }),
                ...(before === undefined ? {} : { before }),
              })
              const range = all.filter(
                ({ seq }) => seq > (after ?? 0) && seq < (before ?? Infinity),
              )
              const fromEnd = after === undefined && (before !== undefined || order === 'desc')
              const slice = fromEnd ? range.slice(-limit) : range.slice(0, limit)
              expect(page.messages).toEqual(order === 'desc' ? slice.toReversed() : slice)
              expect(page.hasMore).toBe(range.length > limit)
            },
          ),
          { numRuns: 60 },
        )
      })

      test('the newest of a history, and refuses one that is too long', async () => {
        const id = await conversation()
        for (let n = 0; n < 11; n += 1) await record(id, turn(`${n}`, 'a'))
        const all = await reader().messages(me, id, { limit: 100, order: 'asc' })
        const last = await reader().history(me, id, { last: 5 })
        expect(last.messages).toEqual(all.messages.slice(-5))
        expect(last).toMatchObject({
          conversationId: id,
          version: 12,
          cursor: encodeCursor(id, 12),
        })
        // openStore bounds the history at 20 messages.
        expect(await refusal(reader().history(me, id, {}))).toBe('history-too-long')
        expect((await reader().loadCanonicalHistory(me, id)).messages).toEqual(all.messages)
      })

      test('nothing at a cursor that is ahead, or from elsewhere', async () => {
        const id = await conversation()
        const ahead = encodeCursor(id, 2)
        const page = { limit: 10, order: 'asc' } as const
        expect(await refusal(reader().changes(me, id, { limit: 10, since: ahead }))).toBe(
          'cursor-ahead',
        )
        expect(await refusal(reader().messages(me, id, { ...page, minCursor: ahead }))).toBe(
          'cursor-ahead',
        )
        expect(await refusal(reader().history(me, id, { minCursor: ahead }))).toBe('cursor-ahead')
        const foreign = encodeCursor(newId(), 1)
        expect(await refusal(reader().changes(me, id, { limit: 10, since: foreign }))).toBe(
          'cursor-invalid',
        )
        expect(await refusal(reader().history(me, id, { minCursor: foreign }))).toBe(
          'cursor-invalid',
        )
      })

      test('no page at a token that somebody made', async () => {
        const forged = [
          ['2026-01-01T00:00:00+23:59', newId()],
          ['2026-01-01 00:00:00+00', 'x'],
          ['now', newId()],
        ]
        for (const keys of forged) {
          const list = reader().conversations(me, {
            limit: 2,
            page: encodePage('conversations', keys),
          })
          // A time is a time in whatever form; the rest is refused. Neither is a fault of ours.
          expect([undefined, 'page-invalid']).toContain(
            await list.then(
              () => undefined,
              (error) => error.code,
            ),
          )
        }
      })

      test('the conversations by their last activity, page by page', async () => {
        const tenant = { ...me, tenant: newId() }
        const ids: string[] = []
        for (let n = 0; n < 9; n += 1) {
          // Two are older than their receipt, one of them older than any message.
          const createdAt = ['2025-06-01T00:00:00.000001Z', '0001-01-01T00:00:00Z'][n]
          const body = createdAt === undefined ? {} : { createdAt }
          ids.push((await store().createConversation(tenant, body)).conversation.id)
        }
        // Two of them share a microsecond, one is backdated, one is gone.
        const at = async (n: number, time: string) =>
          store().recordTurn(
            tenant,
            some(ids[n]),
            decode.turn({ assistant: { responses: ['a'], at: time } }),
          )
        await at(3, '2026-01-01T00:00:00.5Z')
        await at(4, '2026-01-01T00:00:00.5Z')
        await at(5, '2001-01-01T00:00:00Z')
        await store().eraseConversation(tenant, some(ids[6]))
        const seen: { id: string; at: string }[] = []
        let page: string | null = null
        do {
          const list = await reader().conversations(tenant, {
            limit: 2,
            ...(page === null ? {} : { page }),
          })
          seen.push(
            ...list.conversations.map((one) => ({
              id: one.id,
              at: one.lastMessageAt ?? one.createdAt,
            })),
          )
          page = list.nextPage
        } while (page !== null)
        expect(new Set(seen.map(({ id }) => id))).toEqual(new Set(ids.filter((_, n) => n !== 6)))
        expect(seen).toHaveLength(8)
        const sorted = seen.toSorted((a, b) =>
          a.at === b.at ? (a.id < b.id ? 1 : -1) : a.at < b.at ? 1 : -1,
        )
        expect(seen).toEqual(sorted)
        expect(seen.slice(-3).map(({ id }) => id)).toEqual([ids[0], ids[5], ids[1]].map(some))
      })
    })

    test('pages of changes join without a hole, and fold into what is stored', async () => {
      const operation = fc.oneof(
        { weight: 4, arbitrary: fc.constant('turn' as const) },
        {
          weight: 1,
          arbitrary: fc.constantFrom('ai' as const, 'attach' as const, 'segment' as const),
        },
        {
          weight: 1,
          arbitrary: fc.constantFrom('complete' as const, 'patch' as const, 'large' as const),
        },
      )
      await fc.assert(
        fc.asyncProperty(
          fc.array(operation, { minLength: 1, maxLength: 25 }),
          fc.integer({ min: 1, max: 9 }),
          async (operations, limit) => {
            const id = await conversation()
            let segmentId: string | undefined
            for (const [n, kind] of operations.entries()) {
              if (kind === 'turn') await record(id, turn(`${n}`, 'a'))
              if (kind === 'ai') await record(id, aiTurn(`${n}`))
              if (kind === 'large') await record(id, turn('x'.repeat(3000), 'y'.repeat(3000)))
              if (kind === 'attach')
                await store().attachTts(me, id, undefined, { ttsAudioUrls: [`http://a/${n}`] })
              if (kind === 'patch') await store().patchConversation(me, id, { title: `${n}` })
              if (kind === 'segment')
                segmentId = (await store().createSegment(me, id, {})).segment.id
              if (kind === 'complete' && segmentId !== undefined)
                await record(
                  id,
                  decode.turn({
                    user: { text: `${n}` },
                    assistant: { responses: ['a'] },
                    segment: { id: segmentId, agentResponse: `${n}` },
                  }),
                )
            }
            const messages = new Map<string, Message>()
            const segments = new Map<string, Segment>()
            let folded: ChangePage['conversation']
            let last: { version: number; cursor?: string; hasMore: boolean } = {
              version: 0,
              hasMore: true,
            }
            while (last.hasMore) {
              const page: ChangePage = await reader().changes(me, id, {
                limit,
                ...(last.cursor === undefined ? {} : { since: last.cursor }),
              })
              expect(page.from).toBe(last.version)
              expect(page.version).toBeGreaterThan(page.from)
              const rows = [...page.messages, ...(page.segments ?? [])]
              for (const row of rows) {
                expect(row.version).toBeGreaterThan(page.from)
                expect(row.version).toBeLessThanOrEqual(page.version)
              }
              expect(rows.length).toBeLessThanOrEqual(limit + 2)
              for (const message of page.messages) messages.set(message.id, message)
              for (const segment of page.segments ?? []) segments.set(segment.id, segment)
              folded = page.conversation ?? folded
              last = page
            }
            const bySeq = [...messages.values()].sort((a, b) => a.seq - b.seq)
            const page = await reader().messages(me, id, { limit: 200, order: 'asc' })
            expect(bySeq).toEqual(page.messages)
            const listed = (await reader().segments(me, id, { limit: 100 })).segments
            expect(new Set(segments.values())).toEqual(new Set(listed))
            expect(some(folded).title).toBe((await reader().conversation(me, id)).title)
            expect(last.version).toBe(page.version)
            const empty = await reader().changes(me, id, { limit, since: some(last.cursor) })
            expect(empty).toEqual({
              from: last.version,
              version: last.version,
              cursor: some(last.cursor),
              messages: [],
              hasMore: false,
            })
          },
        ),
        { numRuns: 25 },
      )
    }, 60_000)
  })
}
