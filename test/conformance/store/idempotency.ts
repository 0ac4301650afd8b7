/** Conformance of the store: a turn that is sent again under its idempotency key. */
import { describe, expect, test } from 'bun:test'
import { encodeCursor, newId } from '../../../src/conversation/wire/ids.ts'
import { refusal, some } from '../../support/store.ts'
import { aiTurn, me, type StoreSubject, turn } from './subject.ts'

export function keepsIdempotencyKeys(subject: StoreSubject): void {
  const { store, conversation, record, history, commitsOf } = subject

  describe('an idempotency key', () => {
    test('a retry with the same key and body returns the first result, with the current messages', async () => {
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

    test('a retry whose caller gave the ids returns the first result', async () => {
      const id = await conversation()
      for (const body of [
        { user: { id: newId(), text: 'hi' }, assistant: { id: newId(), responses: ['a'] } },
        { user: { id: newId(), text: 'hi' }, assistant: { responses: ['a'] } },
        { user: { text: 'hi' }, assistant: { id: newId(), responses: ['a'] } },
        { assistant: { id: newId(), responses: ['a'] } },
      ]) {
        const key = newId()
        const first = await record(id, body, key)
        const commits = commitsOf(id).length
        expect(await record(id, body, key)).toEqual({ ...first, replayed: true })
        expect(commitsOf(id)).toHaveLength(commits)
      }
    })

    test('a retry with another body is refused with idempotency-conflict', async () => {
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

    test('responses that are split and responses joined by [SPLIT] count as the same body', async () => {
      const id = await conversation()
      const first = await record(id, turn('hi', 'a', 'b'), 'k')
      const again = await record(id, turn('hi', 'a[SPLIT]b[SPLIT]'), 'k')
      expect([again.version, again.replayed]).toEqual([first.version, true])
    })

    test('thirty equal requests with one key at the same moment record one turn', async () => {
      const id = await conversation()
      const answers = await Promise.all(
        Array.from({ length: 30 }, () => record(id, turn('hi', 'a'), 'k')),
      )
      expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1)
      expect(new Set(answers.map((one) => one.assistantMessageId)).size).toBe(1)
      expect(await history(id)).toHaveLength(2)
    })
  })
}
