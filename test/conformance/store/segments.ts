/** Conformance of the store: segments. */
import { describe, expect, test } from 'bun:test'
import { newId } from '../../../src/conversation/wire/ids.ts'
import { refusal, some } from '../../support/store.ts'
import { aiTurn, decode, me, type StoreSubject } from './subject.ts'

export function keepsSegments(subject: StoreSubject): void {
  const { store, reader, conversation, record, commitsOf } = subject

  describe('a segment', () => {
    const complete = (segmentId: string, text: string, agentResponse: string) =>
      decode.turn({
        user: { text },
        assistant: { responses: [text] },
        segment: { id: segmentId, agentResponse },
      })

    test('a segment id creates one segment', async () => {
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

    test('a turn with agentResponse completes its segment with a lineage, and the next such turn replaces it', async () => {
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

    test('the last turn of a batch that completes a segment determines its content', async () => {
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

    test('a turn without agentResponse tags its messages and does not complete the segment', async () => {
      const id = await conversation()
      const { segment } = await store().createSegment(me, id, {})
      const body = decode.turn({ assistant: { responses: ['a'] }, segment: { id: segment.id } })
      expect((await record(id, body)).messages.map((one) => one.segmentId)).toEqual([segment.id])
      expect(await reader().segment(me, id, segment.id)).toEqual(segment)
    })

    test('a segment of another conversation is not found', async () => {
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

    test('segments are listed in the order of their creation, page by page', async () => {
      const id = await conversation()
      const created: string[] = []
      for (let n = 0; n < 7; n += 1)
        created.push((await store().createSegment(me, id, {})).segment.id)
      const listed: string[] = []
      let page: string | null = null
      do {
        const list = await reader().segments(me, id, {
          limit: 3,
          ...(page === null ? {} : { page }),
        })
        listed.push(...list.segments.map((one) => one.id))
        page = list.nextPage
      } while (page !== null)
      expect(listed).toEqual(created)
    })
  })
}
