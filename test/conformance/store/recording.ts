/** Conformance of the store: recording a turn. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { encodeCursor, newId } from '../../../src/conversation/wire/ids.ts'
import { nullFields } from '../../../src/conversation/wire/null-fields.ts'
import { refusal, some } from '../../support/store.ts'
import { decode, me, type StoreSubject, turn } from './subject.ts'

export function recordsTurns(subject: StoreSubject): void {
  const { store, reader, conversation, record, history, commitsOf } = subject

  describe('a recorded turn', () => {
    test('a turn is a human message followed by its answer, which is a microsecond later', async () => {
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
        state: 'filled',
        ...nullFields,
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

    test('an AI message without a human message is a turn of its own', async () => {
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

    test('a voice turn has the type audio, and a duration only if it is positive', async () => {
      const id = await conversation()
      const voice = (durationSeconds: number) =>
        decode.turn({
          user: { text: '', voice: { sessionId: 'v', durationSeconds } },
          assistant: { responses: ['a'] },
        })
      for (const seconds of [7, 0, -3]) await record(id, voice(seconds))
      const human = (await history(id)).filter(({ role }) => role === 'human')
      expect(human.map((one) => one.durationSeconds)).toEqual([7, null, null])
      expect(human.every((one) => one.messageType === 'audio' && one.voiceSessionId === 'v')).toBe(
        true,
      )
      const ai = (await history(id)).filter(({ role }) => role === 'ai')
      expect(ai.every((one) => one.messageType === 'text' && one.voiceSessionId === null)).toBe(
        true,
      )
    })

    test('an answer without parts records nothing, and its key stays free', async () => {
      const id = await conversation()
      expect(await store().recordTurn(me, id, turn('hi', '[SPLIT]', ''), 'k')).toBeNull()
      expect(await reader().head(me, id)).toMatchObject({ version: 1, lastSeq: 0 })
      expect((await record(id, turn('hi', 'a'), 'k')).replayed).toBe(false)
      expect(await refusal(store().recordTurn(me, newId(), turn('hi')))).toBe(
        'conversation-not-found',
      )
    })

    test('a backdated turn gets the next seq, and lastMessageAt does not move back', async () => {
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

    test('a turn for a conversation that does not exist is refused', async () => {
      expect(await refusal(store().recordTurn(me, newId(), turn('hi', 'a')))).toBe(
        'conversation-not-found',
      )
    })

    test('a turn with a taken message id is refused, alone or in a batch', async () => {
      const id = await conversation()
      const named = decode.turn({
        user: { id: newId(), text: 'a' },
        assistant: { id: newId(), responses: ['b'] },
      })
      const both = await Promise.allSettled([
        store().recordTurn(me, id, named),
        store().recordTurn(me, id, named),
      ])
      expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
      expect(await refusal(store().recordTurn(me, id, named))).toBe('id-taken')
      expect(await history(id)).toHaveLength(2)
      // The same ids are free in another conversation.
      expect((await record(await conversation(), named)).messages).toHaveLength(2)
    })

    test('a refused turn does not fail the other turns of its batch', async () => {
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

    test('the turns of one batch are one commit, in the order in which they arrived', async () => {
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

    test('every text is stored exactly, part for part', async () => {
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
          expect(page.messages.map((one) => one.parts)).toEqual([[human], body.assistant.responses])
        }),
        { numRuns: 60 },
      )
    })
  })
}
