/**
 * A small model of spoken turns, to compare with the store and its sockets. It has positions,
 * words, sessions, heard text and held audio. It has no database.
 */
import { nothingYet, type Row, sorted } from './voice-state.ts'
import type { Step } from './voice-steps.ts'
import {
  answerParts,
  codePoints,
  type Heard,
  hashOf,
  heardParts,
  sessionName,
  sessionOf,
  spokenText,
  urlOf,
  userText,
} from './voice-words.ts'

export class VoiceModel {
  readonly #seatsMax: number
  readonly #now: ReturnType<typeof nothingYet>

  constructor(seatsMax = Number.POSITIVE_INFINITY, now = nothingYet()) {
    this.#seatsMax = seatsMax
    this.#now = now
  }

  /** A copy that changes independently. */
  copy(): VoiceModel {
    return new VoiceModel(this.#seatsMax, structuredClone(this.#now))
  }

  /** A text that is equal for equal models, held audio included. */
  get name(): string {
    const { version, rows, turns, heldAudio, sessions } = this.#now
    return JSON.stringify([version, rows, sorted(turns), sorted(heldAudio), sorted(sessions)])
  }

  get version(): number {
    return this.#now.version
  }

  get rows(): readonly Row[] {
    return this.#now.rows
  }

  answerOf(key: number): Row | undefined {
    return this.#now.turns.get(key)?.answer
  }

  seatOf(key: number): Row | undefined {
    return this.#now.turns.get(key)?.human
  }

  /** Takes a step. Returns its outcome: a problem code, `done`, `unchanged`, `replayed` or `held`. */
  take(step: Step): string {
    switch (step.do) {
      case 'open':
        return this.#open(step.key)
      case 'record':
        return this.#record(step.key, step.words)
      case 'complete':
        return this.#complete(step.key, step.user, step.assistant)
      case 'heard':
        return this.#interrupt(step.key, step.at, step.heard)
      case 'audio':
        return this.#attach(step)
      case 'start':
        return this.#start(sessionName(step.session))
      case 'end':
        return this.#end(sessionName(step.session))
      case 'expire': {
        const pending = this.rows.filter(({ state }) => state === 'pending')
        for (const row of pending) row.state = 'expired'
        this.#now.version += pending.length
        return 'done'
      }
      case 'lapse': {
        const id = sessionName(step.session)
        if (this.#now.sessions.get(id)?.carried === true) this.#end(id)
        return 'done'
      }
    }
  }

  #row(role: Row['role'], state: Row['state'], parts: string[]): Row {
    const row: Row = {
      ...{ seq: this.rows.length + 1, role, state, parts, session: null },
      ...{ urls: null, heard: null, heardAt: -1 },
    }
    this.#now.rows.push(row)
    return row
  }

  #say(row: Row, key: number, words: number): void {
    row.state = 'filled'
    row.parts = [userText(key, words)]
    row.session = sessionOf(words)
    if (row.session !== null && !this.#now.sessions.has(row.session))
      this.#now.sessions.set(row.session, { declared: false, carried: false, ended: false })
  }

  #answer(key: number, words: number): Row {
    const row = this.#row('ai', 'filled', answerParts(key, words))
    const { heldAudio } = this.#now
    const urls = row.parts.map((text, part) => {
      const waiting = heldAudio.get(`${key}/${part}`)
      return waiting?.hash === hashOf(text) ? waiting.url : null
    })
    if (urls.some((url) => url !== null)) row.urls = urls
    for (const part of [0, 1, 2]) heldAudio.delete(`${key}/${part}`)
    return row
  }

  #open(key: number): string {
    const turn = this.#now.turns.get(key)
    if (turn !== undefined) return turn.opened ? 'replayed' : 'idempotency-conflict'
    if (this.rows.filter(({ state }) => state === 'pending').length >= this.#seatsMax)
      return 'seats-too-many'
    this.#now.version += 1
    const human = this.#row('human', 'pending', [''])
    const none = { humanWords: null, answer: undefined, answerWords: null }
    this.#now.turns.set(key, { opened: true, human, ...none })
    return 'done'
  }

  #record(key: number, words: number): string {
    const turn = this.#now.turns.get(key)
    if (turn !== undefined)
      return !turn.opened && turn.humanWords === words ? 'replayed' : 'idempotency-conflict'
    this.#now.version += 1
    const human = this.#row('human', 'pending', [])
    this.#say(human, key, words)
    const answer = this.#answer(key, words)
    const allWords = { humanWords: words, answer, answerWords: words }
    this.#now.turns.set(key, { opened: false, human, ...allWords })
    return 'done'
  }

  #complete(key: number, user: number | null, assistant: number | null): string {
    const turn = this.#now.turns.get(key)
    if (turn === undefined) return 'turn-not-open'
    if (!turn.opened) return 'idempotency-conflict'
    const contradicts = (sent: number | null, stored: number | null) =>
      sent !== null && stored !== null && sent !== stored
    if (contradicts(user, turn.humanWords) || contradicts(assistant, turn.answerWords))
      return 'idempotency-conflict'
    const [saysHuman, saysAnswer] = [turn.humanWords === null, turn.answerWords === null]
    if (!(user !== null && saysHuman) && !(assistant !== null && saysAnswer)) return 'replayed'
    this.#now.version += 1
    if (user !== null && saysHuman) {
      turn.humanWords = user
      this.#say(turn.human, key, user)
    }
    if (assistant !== null && saysAnswer) {
      turn.answerWords = assistant
      turn.answer = this.#answer(key, assistant)
    }
    return 'done'
  }

  #interrupt(key: number, at: number, heard: Heard | null): string {
    const row = this.answerOf(key)
    if (row === undefined) return 'message-not-found'
    const said = codePoints(row.parts.join('')).length
    if ((heard?.parts ?? 0) > row.parts.length || (heard?.characters ?? 0) > said)
      return 'heard-out-of-range'
    if (at < row.heardAt) return 'unchanged'
    const isSame = JSON.stringify(heard) === JSON.stringify(row.heard)
    const isChange = heard === null || at === row.heardAt ? !isSame : true
    row.heard = heard
    row.heardAt = at
    if (!isChange) return 'unchanged'
    this.#now.version += 1
    return 'done'
  }

  #attach({ key, part, words, by }: Extract<Step, { do: 'audio' }>): string {
    const row = this.answerOf(key)
    const text = spokenText(key, part, words)
    const url = urlOf(key, part, words)
    if (row === undefined) {
      if (by === 'message') return 'message-not-found'
      this.#now.heldAudio.set(`${key}/${part}`, { hash: hashOf(text), url })
      return 'held'
    }
    if (part >= row.parts.length) return 'part-out-of-range'
    if (row.parts[part] !== text) return 'audio-stale'
    const urls = [...(row.urls ?? [])]
    while (urls.length <= part) urls.push(null)
    urls[part] = url
    if (JSON.stringify(urls) !== JSON.stringify(row.urls)) this.#now.version += 1
    row.urls = urls
    return 'done'
  }

  #start(id: string): string {
    const session = this.#now.sessions.get(id)
    if (session?.ended === true) return 'voice-session-ended'
    if (session?.declared !== true) this.#now.version += 1
    this.#now.sessions.set(id, { declared: true, carried: true, ended: false })
    return 'done'
  }

  #end(id: string): string {
    const session = this.#now.sessions.get(id)
    if (session === undefined) return 'voice-session-not-found'
    if (session.ended) return 'voice-session-ended'
    session.ended = true
    this.#now.version += 1
    return 'done'
  }

  /** Every row, as the changes of a conversation report it. */
  stored(): Omit<Row, 'heardAt'>[] {
    return this.rows.map((row) => {
      const { heardAt: _, ...stored } = row
      return stored
    })
  }

  /** The sessions, and whether they have ended. */
  sessions(): { id: string; ended: boolean }[] {
    return sorted(this.#now.sessions).map(([id, { ended }]) => ({ id, ended }))
  }

  /** The history in the heard view. */
  heard(): { seq: number; parts: string[] }[] {
    return this.rows.flatMap(({ seq, state, parts, heard }) => {
      const shown = heardParts(parts, heard).parts
      return state !== 'filled' || shown.length === 0 ? [] : [{ seq, parts: shown }]
    })
  }
}
