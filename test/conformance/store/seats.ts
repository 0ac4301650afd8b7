/** Conformance of the store: turns that are opened first and get their words later. */
import { describe, expect, test } from 'bun:test'
import { newId } from '../../../src/conversation/wire/ids.ts'
import { refusal } from '../../support/store.ts'
import { assistant, both, decode, me, type SpeechSubject, user } from './speech-subject.ts'

export function keepsSeats(subject: SpeechSubject): void {
  const {
    store,
    reader,
    conversation,
    open,
    complete,
    shown,
    contents,
    changes,
    version,
    overdue,
    until,
  } = subject

  describe('an opened turn', () => {
    test('an opened turn has a seat with the next seq and a version, and histories omit it', async () => {
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

    test('a key opens one turn, and the key of a recorded turn is refused', async () => {
      const id = await conversation()
      const seat = await open(id, 'k')
      expect(await open(id, 'k')).toMatchObject({ ...seat, replayed: true })
      await store().recordTurn(me, id, decode.turn({ assistant: { responses: ['a'] } }), 'r')
      expect(await refusal(open(id, 'r'))).toBe('idempotency-conflict')
      const recordedUnderKey = store().recordTurn(
        me,
        id,
        decode.turn({ assistant: { responses: ['a'] } }),
        'k',
      )
      expect(await refusal(recordedUnderKey)).toBe('idempotency-conflict')
      expect(await version(id)).toBe(3)
    })

    test('a turn past the bound of pending seats is refused until a seat is filled', async () => {
      const id = await conversation()
      for (const n of [1, 2, 3, 4, 5]) await open(id, `k${n}`)
      expect(await refusal(open(id, 'k6'))).toBe('seats-too-many')
      await complete(id, 'k1', user('hello'))
      expect(await open(id, 'k6')).toMatchObject({ seq: 6 })
    })

    test('a turn cannot be opened in a missing or erased conversation', async () => {
      expect(await refusal(open(newId(), 'k'))).toBe('conversation-not-found')
      const id = await conversation()
      await open(id, 'k')
      await store().eraseConversation(me, id)
      expect(await refusal(open(id, 'k'))).toBe('conversation-erased')
      expect(await refusal(complete(id, 'k', user('x')))).toBe('conversation-erased')
    })
  })

  describe('a completed turn', () => {
    test('an opened turn can get its answer first and its words later', async () => {
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

    test('both halves in one frame have the same result as one after the other', async () => {
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

    test('another text for a recorded human message is refused, and the answer in the same request is not recorded', async () => {
      const id = await conversation()
      await open(id, 'k')
      await complete(id, 'k', user('hello'))
      expect(await refusal(complete(id, 'k', both('other', 'a')))).toBe('idempotency-conflict')
      expect(await contents(id)).toEqual(['hello'])
      await complete(id, 'k', assistant('a'))
      expect(await refusal(complete(id, 'k', assistant('b')))).toBe('idempotency-conflict')
    })

    test('a turn that was not opened, or was recorded whole, cannot be completed', async () => {
      const [id, other] = [await conversation(), await conversation()]
      await open(other, 'k')
      expect(await refusal(complete(id, 'k', user('x')))).toBe('turn-not-open')
      await store().recordTurn(me, id, decode.turn({ assistant: { responses: ['a'] } }), 'r')
      expect(await refusal(complete(id, 'r', user('x')))).toBe('idempotency-conflict')
    })

    test('an empty half records nothing, and can still be sent later', async () => {
      const id = await conversation()
      await open(id, 'k')
      expect(await store().completeTurn(me, id, assistant(''), 'k')).toBeNull()
      await complete(id, 'k', both('hello', '[SPLIT]'))
      await complete(id, 'k', assistant('a'))
      expect(await contents(id)).toEqual(['hello', 'a'])
    })

    test('completing an opened turn completes its segment, with the seat as its human message', async () => {
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

    test('twenty equal completions at the same moment record their turn once', async () => {
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

  describe('an expired seat', () => {
    test('late words fill a seat that has expired', async () => {
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
}
