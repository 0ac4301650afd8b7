/** Conformance of the store: the erasure of a conversation. */
import { describe, expect, test } from 'bun:test'
import { newId } from '../../../src/conversation/wire/ids.ts'
import { refusal } from '../../support/store.ts'
import { decode, me, type StoreSubject, turn } from './subject.ts'

export function erasesConversations(subject: StoreSubject): void {
  const { store, reader, conversation, record, commitsOf, opened } = subject

  describe('conversation erasure', () => {
    test('an erasure deletes every row, returns the same receipt again, and refuses later reads and writes', async () => {
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
        opened().database.query<object>({
          text: `SELECT * FROM ${table} WHERE conversation_id = $1::uuid`,
          params: [id],
        })
      for (const table of ['conversation_messages', 'segments', 'conversation_external_ids'])
        expect(await rows(table)).toEqual([])
      // The external id is free again. The id stays taken.
      expect((await store().createConversation(me, { externalId })).created).toBe(true)
      const page = { limit: 10, order: 'asc' } as const
      const calls = [
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
      expect(new Set(await Promise.all(calls.map(refusal)))).toEqual(
        new Set(['conversation-erased']),
      )
    })

    test('an erasure during 50 writes deletes every turn that was recorded', async () => {
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
}
