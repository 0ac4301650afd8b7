/** The store under test, with the functions that the suites of speech share. */
import { createHash } from 'node:crypto'
import type { View } from '../../../src/conversation/wire/views.ts'
import type { Database } from '../../../src/ports/database.ts'
import { some } from '../../support/store.ts'
import { decode, me, openSubject, type StoreSubject } from './subject.ts'

export { decode, me }

export const user = (text: string, more: object = {}) => decode.halves({ user: { text, ...more } })
export const assistant = (...responses: string[]) => decode.halves({ assistant: { responses } })
export const both = (text: string, ...responses: string[]) =>
  decode.halves({ user: { text }, assistant: { responses } })
export const heard = (what: object | null, at?: string) =>
  decode.interruption({ heard: what, ...(at === undefined ? {} : { at }) })
export const hashOf = (text: string) => createHash('sha256').update(text).digest('hex')

export type SpeechSubject = ReturnType<typeof speechSubject>

/** Opens one store for the tests of the enclosing `describe`, and closes it after them. */
export const openSpeechSubject = (openDatabase: () => Promise<Database>): SpeechSubject =>
  speechSubject(openSubject(openDatabase))

function speechSubject({ opened, store, reader, conversation }: StoreSubject) {
  const shown = async (id: string, view: View = 'said', pending = false) =>
    (await reader().history(me, id, { last: 100, shown: { view, pending } })).messages
  return {
    opened,
    store,
    reader,
    conversation,
    shown,
    sessions: () => opened().store.voiceSessions,
    open: (id: string, key: string, at?: string) =>
      store().openTurn(me, id, at === undefined ? {} : { at }, key),
    complete: async (id: string, key: string, halves: ReturnType<typeof both>) =>
      some(await store().completeTurn(me, id, halves, key)),
    contents: async (id: string, view: View = 'said') =>
      (await shown(id, view)).map(({ content }) => content),
    changes: (id: string, since?: string) =>
      reader().changes(me, id, { limit: 100, ...(since === undefined ? {} : { since }) }),
    version: async (id: string) => (await reader().head(me, id)).version,
    /** Records a whole turn and returns the id of its AI message. */
    spoken: async (id: string, ...responses: string[]) => {
      const turn = decode.turn({ user: { text: 'u' }, assistant: { responses } })
      return some(await store().recordTurn(me, id, turn)).assistantMessageId
    },
    /** Moves the deadlines of a conversation's seats, sessions and held audio into the past. */
    overdue: async (id: string) => {
      for (const text of [
        `UPDATE conversation_messages SET seat_until = now() - interval '1 second' WHERE conversation_id = $1::uuid`,
        `UPDATE voice_sessions SET lease_until = now() - interval '1 second'
         WHERE conversation_id = $1::uuid AND lease_until IS NOT NULL`,
        `UPDATE held_audio SET expires_at = now() - interval '1 second' WHERE conversation_id = $1::uuid`,
      ])
        await opened().database.query({ text, params: [id] })
    },
    until: async (holds: () => Promise<boolean>) => {
      while (!(await holds())) await Bun.sleep(20)
    },
  }
}
