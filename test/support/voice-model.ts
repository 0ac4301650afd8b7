/**
 * A small model of what becomes of spoken turns, to hold the store against. It knows places, words,
 * what was heard and what audio waits; it knows nothing of databases.
 */
import { createHash } from 'node:crypto'

export type Step =
  | { readonly do: 'open'; readonly key: number }
  | { readonly do: 'record'; readonly key: number; readonly words: number }
  | {
      readonly do: 'complete'
      readonly key: number
      readonly user: number | null
      readonly assistant: number | null
    }
  | { readonly do: 'heard'; readonly key: number; readonly at: number; readonly heard: Heard }
  | { readonly do: 'audio'; readonly key: number; readonly part: number; readonly words: number }
  | { readonly do: 'expire' }

export type Heard = {
  readonly parts?: number
  readonly characters?: number
  readonly text?: string
}

export type Row = {
  seq: number
  role: 'human' | 'ai'
  state: 'filled' | 'pending' | 'expired'
  parts: string[]
  urls: (string | null)[] | null
  heard: Heard | null
  heardAt: number
}

type Turn = {
  readonly opened: boolean
  readonly human: Row
  humanWords: number | null
  answer: Row | undefined
  answerWords: number | null
}

export const userText = (key: number, words: number) => `user ${key} says ${words}`

/** Of one to three parts, some with characters of two code units. */
export const answerParts = (key: number, words: number): string[] =>
  ['One 🙂.', `answer ${key}`, `${words} 你好`].slice(0, 1 + ((key + words) % 3))

export const hashOf = (text: string) => createHash('sha256').update(text).digest('hex')

export const urlOf = (key: number, part: number, words: number) =>
  `https://audio.example/${key}/${part}/${words}`

const codePoints = (text: string) => Array.from(text)

export class VoiceModel {
  readonly rows: Row[] = []
  version = 1
  readonly #turns = new Map<number, Turn>()
  readonly #held = new Map<string, { hash: string; url: string }>()

  answerOf(key: number): Row | undefined {
    return this.#turns.get(key)?.answer
  }

  /** What the step is answered: a problem's code, or that it was done. */
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
        return this.#attach(step.key, step.part, step.words)
      case 'expire':
        for (const row of this.rows)
          if (row.state === 'pending') {
            row.state = 'expired'
            this.version += 1
          }
        return 'done'
    }
  }

  #row(role: Row['role'], state: Row['state'], parts: string[]): Row {
    const row: Row = {
      ...{ seq: this.rows.length + 1, role, state, parts },
      ...{ urls: null, heard: null, heardAt: -1 },
    }
    this.rows.push(row)
    return row
  }

  #answer(key: number, words: number): Row {
    const row = this.#row('ai', 'filled', answerParts(key, words))
    const urls = row.parts.map((text, part) => {
      const held = this.#held.get(`${key}/${part}`)
      return held?.hash === hashOf(text) ? held.url : null
    })
    if (urls.some((url) => url !== null)) row.urls = urls
    for (const part of [0, 1, 2]) this.#held.delete(`${key}/${part}`)
    return row
  }

  #open(key: number): string {
    const turn = this.#turns.get(key)
    if (turn !== undefined) return turn.opened ? 'replayed' : 'idempotency-conflict'
    this.version += 1
    const human = this.#row('human', 'pending', [''])
    const none = { humanWords: null, answer: undefined, answerWords: null }
    this.#turns.set(key, { opened: true, human, ...none })
    return 'done'
  }

  #record(key: number, words: number): string {
    const turn = this.#turns.get(key)
    if (turn !== undefined)
      return !turn.opened && turn.humanWords === words ? 'replayed' : 'idempotency-conflict'
    this.version += 1
    const human = this.#row('human', 'filled', [userText(key, words)])
    const answer = this.#answer(key, words)
    this.#turns.set(key, { opened: false, human, humanWords: words, answer, answerWords: words })
    return 'done'
  }

  #complete(key: number, user: number | null, assistant: number | null): string {
    const turn = this.#turns.get(key)
    if (turn === undefined) return 'turn-not-open'
    if (!turn.opened) return 'idempotency-conflict'
    const contradicts = (sent: number | null, there: number | null) =>
      sent !== null && there !== null && sent !== there
    if (contradicts(user, turn.humanWords) || contradicts(assistant, turn.answerWords))
      return 'idempotency-conflict'
    const fills = [
      user !== null && turn.humanWords === null,
      assistant !== null && turn.answerWords === null,
    ]
    if (!fills.includes(true)) return 'replayed'
    this.version += 1
    if (fills[0] === true && user !== null) {
      turn.humanWords = user
      turn.human.state = 'filled'
      turn.human.parts = [userText(key, user)]
    }
    if (fills[1] === true && assistant !== null) {
      turn.answerWords = assistant
      turn.answer = this.#answer(key, assistant)
    }
    return 'done'
  }

  #interrupt(key: number, at: number, heard: Heard): string {
    const row = this.#turns.get(key)?.answer
    if (row === undefined) return 'message-not-found'
    const said = codePoints(row.parts.join('')).length
    if ((heard.parts ?? 0) > row.parts.length || (heard.characters ?? 0) > said)
      return 'heard-out-of-range'
    if (at > row.heardAt) {
      this.version += 1
      row.heard = heard
      row.heardAt = at
    }
    return 'done'
  }

  #attach(key: number, part: number, words: number): string {
    const row = this.#turns.get(key)?.answer
    const text = answerParts(key, words)[part] ?? 'a part that is not said'
    const url = urlOf(key, part, words)
    if (row === undefined) {
      this.#held.set(`${key}/${part}`, { hash: hashOf(text), url })
      return 'held'
    }
    if (part >= row.parts.length) return 'part-out-of-range'
    if (row.parts[part] !== text) return 'audio-stale'
    const urls = [...(row.urls ?? [])]
    while (urls.length <= part) urls.push(null)
    urls[part] = url
    if (JSON.stringify(urls) !== JSON.stringify(row.urls)) this.version += 1
    row.urls = urls
    return 'done'
  }

  /** Every row, as changes tell of it. */
  stored(): Omit<Row, 'heardAt'>[] {
    return this.rows.map(({ seq, role, state, parts, urls, heard }) => ({
      ...{ seq, role, state, parts, urls, heard },
    }))
  }

  /** What a history shows of it, in the heard view. */
  heard(): { seq: number; parts: string[] }[] {
    return this.rows.flatMap(({ seq, state, parts, heard }) => {
      if (state !== 'filled') return []
      const shown = heard === null ? parts : cut(parts, heard)
      return shown.length === 0 ? [] : [{ seq, parts: shown }]
    })
  }
}

function cut(parts: readonly string[], { text, characters, parts: whole }: Heard): string[] {
  if (text !== undefined) return text === '' ? [] : [text]
  if (characters === undefined) return parts.slice(0, whole)
  let left = characters
  return parts
    .map((part) => {
      const taken = codePoints(part).slice(0, Math.max(0, left)).join('')
      left -= codePoints(part).length
      return taken
    })
    .filter((part) => part !== '')
}
