/** Conformance of the store: audio that arrives before its turn, by the key of the turn. */
import { describe, expect, test } from 'bun:test'
import { refusal, some } from '../../support/store.ts'
import { assistant, decode, hashOf, me, type SpeechSubject } from './speech-subject.ts'

export function joinsEarlyAudio(subject: SpeechSubject): void {
  const { store, conversation, open, complete, shown, version, spoken, overdue, until, opened } =
    subject

  describe('audio by the key of a turn', () => {
    const audio = (key: string, part: number, text: string, url = `https://a/${key}/${part}`) =>
      decode.attachByKey({ key, part, ttsAudioUrl: url, textHash: hashOf(text) })

    test('held audio joins its turn, recorded or completed, only if its part has the same text', async () => {
      const id = await conversation()
      const at = await version(id)
      for (const key of ['r', 'o']) {
        expect(await store().attachByKey(me, id, audio(key, 0, 'other'))).toHaveProperty(
          'heldUntil',
        )
        expect(await store().attachByKey(me, id, audio(key, 1, 'b'))).toMatchObject({
          version: at,
        })
      }
      const body = decode.turn({ user: { text: 'u' }, assistant: { responses: ['a', 'b'] } })
      const recorded = some(await store().recordTurn(me, id, body, 'r'))
      expect(recorded.messages[1]?.ttsAudioUrls).toEqual([null, 'https://a/r/1'])
      expect(opened().commits.at(-1)?.messages[1]?.ttsAudioUrls).toEqual([null, 'https://a/r/1'])
      await open(id, 'o')
      const completed = await complete(id, 'o', assistant('a', 'b'))
      expect(completed.messages[1]?.ttsAudioUrls).toEqual([null, 'https://a/o/1'])
      expect((await shown(id)).map(({ ttsAudioUrls }) => ttsAudioUrls)).toEqual([
        null,
        [null, 'https://a/r/1'],
        [null, 'https://a/o/1'],
      ])
    })

    test('audio by key is attached after its turn, and is refused if the part has another text', async () => {
      const id = await conversation()
      await open(id, 'k')
      expect(await store().attachByKey(me, id, audio('k', 0, 'a'))).toHaveProperty('heldUntil')
      const { assistantMessageId } = await complete(id, 'k', assistant('a', 'b'))
      const late = await store().attachByKey(me, id, audio('k', 1, 'b'))
      expect(late).toMatchObject({ messageId: assistantMessageId })
      expect(await refusal(store().attachByKey(me, id, audio('k', 0, 'b')))).toBe('audio-stale')
      const part = { part: 0, ttsAudioUrl: 'https://a/new', textHash: hashOf('b') }
      const named = store().attachTts(me, id, some(assistantMessageId), decode.attach(part))
      expect(await refusal(named)).toBe('audio-stale')
      expect(await refusal(store().attachByKey(me, id, audio('k', 2, 'c')))).toBe(
        'part-out-of-range',
      )
      expect((await shown(id)).at(-1)?.ttsAudioUrls).toEqual(['https://a/k/0', 'https://a/k/1'])
    })

    test('held audio past the bound is refused until older held audio expires', async () => {
      const id = await conversation()
      for (const part of [0, 1, 2, 3]) await store().attachByKey(me, id, audio('k', part, 'x'))
      await store().attachByKey(me, id, audio('k', 3, 'y'))
      const fifth = () => store().attachByKey(me, id, audio('l', 0, 'x'))
      expect(await refusal(fifth())).toBe('held-audio-too-much')
      await overdue(id)
      await until(async () => {
        try {
          return (await fifth()) !== undefined
        } catch {
          return false
        }
      })
    })

    test('audio without a message id is attached to the latest AI message even if a seat follows it', async () => {
      const id = await conversation()
      const mid = await spoken(id, 'a')
      await open(id, 'k')
      const body = decode.attach({ ttsAudioUrls: ['https://a/1'] })
      expect(await store().attachTts(me, id, undefined, body)).toMatchObject({ messageId: mid })
    })
  })
}
