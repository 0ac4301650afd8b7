/** Conformance of the store: patches of a conversation. */
import { describe, expect, test } from 'bun:test'
import { newId } from '../../../src/conversation/wire/ids.ts'
import { Problem } from '../../../src/problem.ts'
import { refusal, some } from '../../support/store.ts'
import { me, type StoreSubject, turn } from './subject.ts'

export function patchesConversations(subject: StoreSubject): void {
  const { store, reader, conversation, record, commitsOf } = subject

  describe('a conversation patch', () => {
    test('metadata is merged member by member, and a patch without a change takes no version', async () => {
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

    test('a patch with another version in If-Match is refused with version-mismatch', async () => {
      const id = await conversation()
      await record(id, turn('hi', 'a'))
      expect(await refusal(store().patchConversation(me, id, { title: 'T' }, 1))).toBe(
        'version-mismatch',
      )
      expect((await store().patchConversation(me, id, { title: 'T' }, 2)).version).toBe(3)
    })

    test('twenty patches at the same moment are all applied', async () => {
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

    test('an external id can be moved to another conversation once it is free', async () => {
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

    test('a patch whose merged metadata is past the bound is refused', async () => {
      const id = await conversation()
      const patch = (name: string) =>
        store().patchConversation(me, id, { metadata: { [name]: 'x'.repeat(9000) } })
      await patch('a')
      expect(await refusal(patch('b'))).toBe('json-too-large')
      expect((await reader().conversation(me, id)).version).toBe(2)
    })
  })
}
