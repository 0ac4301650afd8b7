/** Conformance of the store: reports of how much of an AI message the listener heard. */
import { describe, expect, test } from 'bun:test'
import { newId } from '../../../src/conversation/wire/ids.ts'
import { refusal, some } from '../../support/store.ts'
import { heard, me, type SpeechSubject } from './speech-subject.ts'

export function keepsInterruptions(subject: SpeechSubject): void {
  const { store, conversation, shown, contents, version, spoken } = subject

  describe('an interruption', () => {
    test('an interruption keeps the whole text, and only a later report changes the heard text', async () => {
      const id = await conversation()
      const mid = await spoken(id, 'One 🙂 two', 'three')
      const report = (what: object, at: string) => store().interrupt(me, id, mid, heard(what, at))
      await report({ characters: 5, milliseconds: 1500 }, '2026-01-01T00:00:02Z')
      expect(await contents(id, 'heard')).toEqual(['u', 'One 🙂'])
      expect(await contents(id)).toEqual(['u', 'One 🙂 two[SPLIT]three'])
      await report({ parts: 1 }, '2026-01-01T00:00:03Z')
      expect(await contents(id, 'heard')).toEqual(['u', 'One 🙂 two'])
      const at = await version(id)
      await report({ parts: 2 }, '2026-01-01T00:00:03Z')
      await report({ parts: 2 }, '2026-01-01T00:00:01Z')
      expect(await version(id)).toBe(at)
      await report({ parts: 2, text: 'One-two' }, '2026-01-01T00:00:04Z')
      const [, ai] = await shown(id, 'heard')
      expect(ai).toMatchObject({
        content: 'One-two',
        heard: { parts: 2, text: 'One-two' },
        interruptedAt: '2026-01-01T00:00:04.000000Z',
      })
    })

    test('the heard view omits messages of which nothing was heard, and the said view has them', async () => {
      const id = await conversation()
      const ids = [await spoken(id, 'a'), await spoken(id, 'b'), await spoken(id, 'c')]
      for (const [index, what] of [{ characters: 0 }, { parts: 0 }, { text: '[SPLIT]' }].entries())
        await store().interrupt(me, id, some(ids[index]), heard(what))
      expect(await contents(id, 'heard')).toEqual(['u', 'u', 'u'])
      expect(await contents(id)).toEqual(['u', 'a', 'u', 'b', 'u', 'c'])
    })

    test('an interruption report that has only milliseconds does not shorten the heard text', async () => {
      const id = await conversation()
      const mid = await spoken(id, 'a', 'b')
      await store().interrupt(me, id, mid, heard({ milliseconds: 0 }))
      expect(await contents(id, 'heard')).toEqual(['u', 'a[SPLIT]b'])
    })

    test('an interruption report that is repeated without a time changes nothing', async () => {
      const id = await conversation()
      const mid = await spoken(id, 'abc')
      const first = await store().interrupt(me, id, mid, heard({ characters: 1 }))
      const second = await store().interrupt(me, id, mid, heard({ characters: 1 }))
      expect(second).toEqual(first)
    })

    test('an interruption report past the end of its message, or for a message that is not from the AI, is refused', async () => {
      const id = await conversation()
      const mid = await spoken(id, 'a🙂', 'b')
      const report = (what: object, of = mid) => store().interrupt(me, id, of, heard(what))
      expect(await refusal(report({ characters: 4 }))).toBe('heard-out-of-range')
      expect(await refusal(report({ parts: 3 }))).toBe('heard-out-of-range')
      expect(await refusal(report({ parts: 1 }, newId()))).toBe('message-not-found')
      const human = some((await shown(id))[0]).id
      expect(await refusal(report({ parts: 1 }, human))).toBe('message-not-ai')
      expect(await version(id)).toBe(2)
      await report({ characters: 3, parts: 2 })
    })
  })
}
