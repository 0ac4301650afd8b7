/** Conformance of the store: reports of how much of an AI message the listener heard. */
import { describe, expect, test } from 'bun:test'
import { newId } from '../../../src/conversation/wire/ids.ts'
import { refusal, some } from '../../support/store.ts'
import { heard, me, type SpeechSubject } from './speech-subject.ts'

export function keepsInterruptions(subject: SpeechSubject): void {
  const { store, reader, conversation, shown, contents, version, spoken } = subject

  describe('an interruption', () => {
    test('an interruption keeps the whole text, and an earlier report or the same one changes nothing', async () => {
      const id = await conversation()
      const mid = await spoken(id, 'One 🙂 two', 'three')
      const report = (what: object, at: string) => store().interrupt(me, id, mid, heard(what, at))
      await report({ characters: 5, milliseconds: 1500 }, '2026-01-01T00:00:02Z')
      expect(await contents(id, 'heard')).toEqual(['u', 'One 🙂'])
      expect(await contents(id)).toEqual(['u', 'One 🙂 two[SPLIT]three'])
      await report({ parts: 1 }, '2026-01-01T00:00:03Z')
      expect(await contents(id, 'heard')).toEqual(['u', 'One 🙂 two'])
      const at = await version(id)
      const same = await report({ parts: 1 }, '2026-01-01T00:00:03Z')
      const earlier = await report({ parts: 2 }, '2026-01-01T00:00:01Z')
      expect([same.changed, earlier.changed]).toEqual([false, false])
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

    test('an interruption report with milliseconds alone shortens the heard text only if they are 0', async () => {
      const id = await conversation()
      const mid = await spoken(id, 'a', 'b')
      await store().interrupt(me, id, mid, heard({ milliseconds: 1 }))
      expect(await contents(id, 'heard')).toEqual(['u', 'a[SPLIT]b'])
      await store().interrupt(me, id, mid, heard({ milliseconds: 0 }))
      expect(await contents(id, 'heard')).toEqual(['u'])
      await store().interrupt(me, id, mid, heard({ milliseconds: 0, parts: 1 }))
      expect(await contents(id, 'heard')).toEqual(['u', 'a'])
    })

    test('an interruption report that is repeated without a time changes nothing', async () => {
      const id = await conversation()
      const mid = await spoken(id, 'abc')
      const first = await store().interrupt(me, id, mid, heard({ characters: 1 }))
      expect(first.changed).toBe(true)
      const second = await store().interrupt(me, id, mid, heard({ characters: 1 }))
      expect(second).toEqual({ ...first, changed: false })
    })

    test('another measure of the same time replaces the stored report', async () => {
      const id = await conversation()
      const mid = await spoken(id, 'abc')
      const at = '2026-01-01T00:00:02Z'
      await store().interrupt(me, id, mid, heard({ characters: 1 }, at))
      const second = await store().interrupt(me, id, mid, heard({ characters: 2 }, at))
      expect(second).toMatchObject({ changed: true, message: { heard: { characters: 2 } } })
      expect(await contents(id, 'heard')).toEqual(['u', 'ab'])
    })

    test('a report that is taken back leaves no heard part, and an earlier report does not return', async () => {
      const id = await conversation()
      const mid = await spoken(id, 'abc')
      const report = (what: object | null, at?: string) =>
        store().interrupt(me, id, mid, heard(what, at))
      await report({ characters: 1 }, '2026-01-01T00:00:02Z')
      const takenBack = await report(null, '2026-01-01T00:00:03Z')
      expect(takenBack).toMatchObject({
        ...{ changed: true, version: 4 },
        message: { heard: null, interruptedAt: null, version: 4 },
      })
      expect(await contents(id, 'heard')).toEqual(['u', 'abc'])
      expect((await shown(id))[1]).toEqual(takenBack.message)
      const resent = await report({ characters: 1 }, '2026-01-01T00:00:02Z')
      expect(resent).toMatchObject({ changed: false, message: { heard: null } })
      expect(await report(null, '2026-01-01T00:00:05Z')).toMatchObject({ changed: false })
      const between = await report({ characters: 1 }, '2026-01-01T00:00:04Z')
      expect(between).toMatchObject({ changed: false, version: 4 })
      const later = await report({ characters: 2 }, '2026-01-01T00:00:05Z')
      expect(later).toMatchObject({
        ...{ changed: true, version: 5 },
        message: { heard: { characters: 2 }, interruptedAt: '2026-01-01T00:00:05.000000Z' },
      })
    })

    test('a report that was never made can be taken back without a change', async () => {
      const id = await conversation()
      const mid = await spoken(id, 'abc')
      const at = await version(id)
      expect(await store().interrupt(me, id, mid, heard(null))).toMatchObject({ changed: false })
      expect(await version(id)).toBe(at)
      const early = heard({ characters: 1 }, '2026-01-01T00:00:00Z')
      expect(await store().interrupt(me, id, mid, early)).toMatchObject({ changed: true })
    })

    test('a message of which no whole grapheme was heard is left out, and counts in no limit', async () => {
      const id = await conversation()
      const whole = await spoken(id, '🇩🇪 a')
      for (let n = 0; n < 3; n += 1)
        await store().interrupt(me, id, await spoken(id, '🇩🇪'), heard({ characters: 1 }))
      await store().interrupt(me, id, whole, heard({ characters: 3 }))
      expect(await contents(id, 'heard')).toEqual(['u', '🇩🇪 ', 'u', 'u', 'u'])
      const shown = { view: 'heard', pending: false } as const
      const { messages } = await reader().history(me, id, { last: 4, shown })
      expect(messages.map(({ seq }) => seq)).toEqual([2, 3, 5, 7])
      const page = { limit: 4, order: 'asc', shown } as const
      const { hasMore } = await reader().messages(me, id, page)
      expect(hasMore).toBe(true)
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
