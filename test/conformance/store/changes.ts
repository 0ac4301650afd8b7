/** Conformance of the reader: changes since a cursor. */
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import type { ChangePage, Message, Segment } from '../../../src/conversation/wire/schemas.ts'
import { some } from '../../support/store.ts'
import { aiTurn, decode, me, type StoreSubject, turn } from './subject.ts'

export function readsChanges(subject: StoreSubject): void {
  const { store, reader, conversation, record } = subject

  test('pages of changes join without a gap, and applying them gives the stored conversation', async () => {
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
            if (kind === 'segment') segmentId = (await store().createSegment(me, id, {})).segment.id
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
}
