/** Conformance of the reader: pages, histories and lists. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { encodeCursor, encodePage, newId } from '../../../src/conversation/wire/ids.ts'
import { refusal, some } from '../../support/store.ts'
import { aiTurn, decode, me, type StoreSubject, turn } from './subject.ts'

export function readsConversations(subject: StoreSubject): void {
  const { store, reader, conversation, record, history } = subject

  describe('the reader', () => {
    test('every page of messages is a slice of the whole history', async () => {
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
            const range = all.filter(({ seq }) => seq > (after ?? 0) && seq < (before ?? Infinity))
            const fromEnd = after === undefined && (before !== undefined || order === 'desc')
            const slice = fromEnd ? range.slice(-limit) : range.slice(0, limit)
            expect(page.messages).toEqual(order === 'desc' ? slice.toReversed() : slice)
            expect(page.hasMore).toBe(range.length > limit)
          },
        ),
        { numRuns: 60 },
      )
    })

    test('a history has the newest messages, and a history that is too long is refused', async () => {
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

    test('a cursor that is ahead of the conversation, or of another one, is refused', async () => {
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
      expect(await refusal(reader().history(me, id, { minCursor: foreign }))).toBe('cursor-invalid')
    })

    test('a forged page token gets a page or page-invalid, and never an internal error', async () => {
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
        // A forged token with a readable time gives a page. Every other one is refused.
        expect([undefined, 'page-invalid']).toContain(
          await list.then(
            () => undefined,
            (error) => error.code,
          ),
        )
      }
    })

    test('the list of conversations is sorted by last activity, page by page', async () => {
      const tenant = { ...me, tenant: newId() }
      const ids: string[] = []
      for (let n = 0; n < 9; n += 1) {
        // Two have a createdAt before their receipt; one of these is before any message.
        const createdAt = ['2025-06-01T00:00:00.000001Z', '0001-01-01T00:00:00Z'][n]
        const body = createdAt === undefined ? {} : { createdAt }
        ids.push((await store().createConversation(tenant, body)).conversation.id)
      }
      // Two have their last message in the same microsecond, one is backdated, one is erased.
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
      const listed: { id: string; at: string }[] = []
      let page: string | null = null
      do {
        const list = await reader().conversations(tenant, {
          limit: 2,
          ...(page === null ? {} : { page }),
        })
        listed.push(
          ...list.conversations.map((one) => ({
            id: one.id,
            at: one.lastMessageAt ?? one.createdAt,
          })),
        )
        page = list.nextPage
      } while (page !== null)
      expect(new Set(listed.map(({ id }) => id))).toEqual(new Set(ids.filter((_, n) => n !== 6)))
      expect(listed).toHaveLength(8)
      const sorted = listed.toSorted((a, b) =>
        a.at === b.at ? (a.id < b.id ? 1 : -1) : a.at < b.at ? 1 : -1,
      )
      expect(listed).toEqual(sorted)
      expect(listed.slice(-3).map(({ id }) => id)).toEqual([ids[0], ids[5], ids[1]].map(some))
    })
  })
}
