/** Conformance of the store: voice sessions. */
import { describe, expect, test } from 'bun:test'
import { refusal, some } from '../../support/store.ts'
import { decode, hashOf, heard, me, type SpeechSubject } from './speech-subject.ts'

export function keepsVoiceSessions(subject: SpeechSubject): void {
  const { store, sessions, conversation, open, complete, changes, overdue, until, opened } = subject

  describe('a voice session', () => {
    test('a voice session is started once and ended once', async () => {
      const id = await conversation()
      const first = await sessions().start(me, id, { id: 's', metadata: { room: 1 } })
      expect(first).toMatchObject({ created: true, version: 2 })
      expect(await sessions().start(me, id, { id: 's' })).toMatchObject({ created: false })
      const other = sessions().start(me, id, { id: 's', metadata: { room: 2 } })
      expect(await refusal(other)).toBe('voice-session-taken')
      const ended = await sessions().end(me, id, 's')
      expect(ended.version).toBe(3)
      expect(await refusal(sessions().end(me, id, 's'))).toBe('voice-session-ended')
      expect(await refusal(sessions().start(me, id, { id: 's' }))).toBe('voice-session-ended')
      expect(await refusal(sessions().end(me, id, 't'))).toBe('voice-session-not-found')
      const { voiceSessions } = await changes(id)
      expect(voiceSessions).toEqual([ended.voiceSession])
    })

    test('a turn that names a voice session begins it, and counts in its figures', async () => {
      const id = await conversation()
      const seconds = async (key: string, speechEndedAt: string, firstAudioAt: string) => {
        await open(id, key)
        return some(
          (
            await complete(
              id,
              key,
              decode.halves({
                user: { text: key, voice: { sessionId: 's', durationSeconds: 2, speechEndedAt } },
                assistant: { responses: ['a'], firstAudioAt },
              }),
            )
          ).assistantMessageId,
        )
      }
      await seconds('k1', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00.3Z')
      const mid = await seconds('k2', '2026-01-01T00:01:00Z', '2026-01-01T00:01:00.5Z')
      await store().interrupt(me, id, mid, heard({ parts: 0 }))
      await store().recordTurn(
        me,
        id,
        decode.turn({
          user: { text: 'u', voice: { sessionId: 's', durationSeconds: 3 } },
          assistant: { responses: ['a'] },
        }),
      )
      expect(await sessions().get(me, id, 's')).toMatchObject({
        id: 's',
        endedAt: null,
        version: 3,
        figures: { turns: 3, audioSeconds: 7, interruptions: 1, responseMilliseconds: 400 },
      })
      await store().interrupt(me, id, mid, heard(null))
      expect(await sessions().get(me, id, 's')).toMatchObject({ figures: { interruptions: 0 } })
      const touched = opened().commits.filter((commit) => commit.conversationId === id)
      expect(touched.filter((commit) => commit.touched === 'more')).toHaveLength(1)
      await sessions().start(me, id, { id: 's', metadata: { declared: true } })
      const page = await sessions().list(me, id, { limit: 10 })
      expect(page.voiceSessions).toMatchObject([{ id: 's', metadata: { declared: true } }])
    })

    test('voice sessions are listed page by page, each of them once', async () => {
      const id = await conversation()
      for (const name of ['b', 'a', 'ü/?']) await sessions().start(me, id, { id: name })
      const first = await sessions().list(me, id, { limit: 2 })
      const second = await sessions().list(me, id, { limit: 2, page: some(first.nextPage) })
      const found = [...first.voiceSessions, ...second.voiceSessions].map((each) => each.id)
      expect(found.toSorted()).toEqual(['a', 'b', 'ü/?'])
      expect(second.nextPage).toBeNull()
    })

    test('a voice session ends by itself after its lease, and one without a lease stays open', async () => {
      const id = await conversation()
      await sessions().start(me, id, { id: 's' }, true)
      await sessions().start(me, id, { id: 'declared only' })
      await overdue(id)
      await sessions().carryOn([{ tenant: me.tenant, conversationId: id, id: 's' }])
      expect(await sessions().lapse(me, id, 's')).toBe(false)
      expect(await sessions().lapse(me, id, 'declared only')).toBe(false)
      await overdue(id)
      await until(async () => (await sessions().get(me, id, 's')).endedAt !== null)
      expect(await sessions().get(me, id, 'declared only')).toMatchObject({ endedAt: null })
    })

    test('an erased conversation has no voice sessions and no held audio', async () => {
      const id = await conversation()
      await sessions().start(me, id, { id: 's' })
      await store().attachByKey(
        me,
        id,
        decode.attachByKey({
          key: 'k',
          part: 0,
          ttsAudioUrl: 'https://a/1',
          textHash: hashOf('a'),
        }),
      )
      await store().eraseConversation(me, id)
      for (const table of ['voice_sessions', 'held_audio']) {
        const rows = await opened().database.query({
          text: `SELECT 1 AS one FROM ${table} WHERE conversation_id = $1::uuid`,
          params: [id],
        })
        expect(rows).toEqual([])
      }
    })
  })
}
