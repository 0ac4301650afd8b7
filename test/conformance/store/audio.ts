/** Conformance of the store: audio that is attached to messages and segments. */
import { describe, expect, test } from 'bun:test'
import { encodeCursor, newId } from '../../../src/conversation/wire/ids.ts'
import { refusal, some } from '../../support/store.ts'
import { decode, me, type StoreSubject, turn } from './subject.ts'

export function attachesAudio(subject: StoreSubject): void {
  const { store, reader, conversation, record, history, commitsOf } = subject

  describe('attached audio', () => {
    test('audio is attached to the named message, all parts at once or part by part', async () => {
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
      expect((await attach({ part: 2, ttsAudioUrl: 'http://a/2' })).message.ttsAudioUrls).toEqual([
        null,
        'http://a/1',
        'http://a/2',
      ])
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

    test('audio without a message id is attached to the latest AI message', async () => {
      const id = await conversation()
      await record(id, turn('hi', 'a'))
      const { assistantMessageId } = await record(id, turn('later', 'd'))
      const attached = some(
        await store().attachTts(me, id, undefined, { ttsAudioUrls: ['http://a'] }),
      )
      expect(attached.messageId).toBe(assistantMessageId)
    })

    test('audio that is attached a second time takes no version and makes no commit', async () => {
      const id = await conversation()
      const { assistantMessageId } = await record(id, turn('hi', 'a'))
      const body = { ttsAudioUrls: ['http://a'] }
      const first = some(await store().attachTts(me, id, assistantMessageId, body))
      await record(id, turn('later', 'd'))
      const again = some(await store().attachTts(me, id, assistantMessageId, body))
      expect(again).toEqual({ ...first, version: 4, cursor: encodeCursor(id, 4) })
      expect(commitsOf(id)).toHaveLength(4)
    })

    test('audio is also attached to the named segment, unless updateSegment is false', async () => {
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
      // Only the segment has the new version, because the message did not change again.
      expect(both.message.version).toBe(4)
      expect(await reader().segment(me, id, segment.id)).toMatchObject({
        version: 5,
        ttsAudioUrls: ['http://a'],
      })
    })

    test('audio without URLs, or for a conversation without an AI message, attaches nothing', async () => {
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

    test('audio for a human message, an unknown message or a missing part is refused', async () => {
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
      expect(await attach(assistantMessageId, { part: 2147483647, ttsAudioUrl: 'http://a' })).toBe(
        'part-out-of-range',
      )
      expect((await reader().head(me, id)).version).toBe(2)
    })

    test('the audio of 32 parts attached at the same moment loses no part', async () => {
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
}
