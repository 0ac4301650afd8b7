/** Conformance of the store: the creation of a conversation. */
import { describe, expect, test } from 'bun:test'
import { newId } from '../../../src/conversation/wire/ids.ts'
import { refusal, some } from '../../support/store.ts'
import { aiTurn, me, type StoreSubject, turn } from './subject.ts'

export function createsConversations(subject: StoreSubject): void {
  const { store, reader, conversation, record, commitsOf } = subject

  describe('conversation creation', () => {
    test('a new conversation has version 1 and no messages', async () => {
      const body = { id: newId(), externalId: newId(), title: 'T', metadata: { b: 1, a: [null] } }
      const { conversation, created } = await store().createConversation(me, body)
      expect(created).toBe(true)
      expect(conversation).toMatchObject({ ...body, version: 1, lastSeq: 0, lastMessageAt: null })
      expect(await reader().conversation(me, body.id)).toEqual(conversation)
      expect(commitsOf(body.id)).toHaveLength(1)
    })

    test('createdAt is stored to the microsecond, and is the time of receipt if it is absent', async () => {
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

    test('a creation that is repeated with the same body returns the conversation, even if it was changed since', async () => {
      const body = { id: newId(), title: 'T' }
      await store().createConversation(me, body)
      await store().patchConversation(me, body.id, { title: 'U' })
      const { conversation, created } = await store().createConversation(me, body)
      expect(created).toBe(false)
      expect(conversation).toMatchObject({ title: 'U', version: 2 })
    })

    test('twenty equal requests at the same moment create one conversation', async () => {
      const body = { id: newId(), externalId: newId() }
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => store().createConversation(me, body)),
      )
      expect(answers.filter(({ created }) => created)).toHaveLength(1)
    })

    test('the same external id without an id creates one conversation', async () => {
      const body = { externalId: newId() }
      const first = await store().createConversation(me, body)
      const second = await store().createConversation(me, body)
      expect(second).toEqual({ conversation: first.conversation, created: false })
    })

    test('an id or external id that another body has taken is refused', async () => {
      const body = { id: newId(), externalId: newId() }
      await store().createConversation(me, body)
      const refused = (other: object) => refusal(store().createConversation(me, other))
      expect(await refused({ ...body, title: 'T' })).toBe('conversation-taken')
      expect(await refused({ externalId: body.externalId, title: 'T' })).toBe('external-id-taken')
      const other = newId()
      expect(await refused({ ...body, id: other })).toBe('external-id-taken')
      expect(await refusal(reader().head(me, other))).toBe('conversation-not-found')
    })

    test('an id that another tenant has taken is refused, and neither tenant sees the conversation of the other', async () => {
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
}
