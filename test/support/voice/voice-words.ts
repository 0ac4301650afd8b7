/** What is said in the schedules of spoken turns: every word follows from a turn's number and a choice. */
import { createHash } from 'node:crypto'

export type Heard = {
  readonly parts?: number
  readonly characters?: number
  readonly text?: string
}

export const nameOf = (key: number) => `turn-${key}`

export const sessionName = (session: number) => `session-${session}`

export const userText = (key: number, words: number) => `user ${key} says ${words}`

/** One of the choices is spoken in a session, which nobody need have started. */
export const sessionOf = (words: number): string | null => (words === 2 ? sessionName(0) : null)

export const userOf = (key: number, words: number) => {
  const sessionId = sessionOf(words)
  const voice = sessionId === null ? {} : { voice: { sessionId, durationSeconds: 1 + key } }
  return { text: userText(key, words), ...voice }
}

/** Of one to three parts, some with characters of two code units; parts are shared between choices. */
export const answerParts = (key: number, words: number): string[] =>
  [`One 🙂 ${key}.`, `answer ${key}`, `${words} 你好 ${key}`].slice(0, 1 + ((key + words) % 3))

export const hashOf = (text: string) => createHash('sha256').update(text).digest('hex')

/** What the audio of a part was made of; of a part that is not said, too. */
export const spokenText = (key: number, part: number, words: number) =>
  answerParts(key, words)[part] ?? 'a part that is not said'

const audio = 'https://audio.example/'

export const urlOf = (key: number, part: number, words: number) => `${audio}${key}/${part}/${words}`

/** What the audio behind an address was made for. */
export function madeFor(url: string): { part: number; text: string } {
  const [key = 0, part = 0, words = 0] = url.slice(audio.length).split('/').map(Number)
  return { part, text: spokenText(key, part, words) }
}

/** Reports of what was heard are made at one of ten times. */
export const heardAt = (at: number) => `2026-01-01T00:00:0${at}.000000Z`

export const codePoints = (text: string) => Array.from(text)

/** Of what was said, what was heard; nothing of it: no parts. */
export function heardParts(
  said: readonly string[],
  heard: Heard | null,
): { parts: string[]; isQuoted: boolean } {
  if (heard === null) return { parts: [...said], isQuoted: false }
  const { text, characters, parts: whole } = heard
  if (text !== undefined) return { parts: text === '' ? [] : [text], isQuoted: true }
  if (characters === undefined) return { parts: said.slice(0, whole), isQuoted: false }
  let left = characters
  const parts = said
    .map((part) => {
      const taken = codePoints(part).slice(0, Math.max(0, left)).join('')
      left -= codePoints(part).length
      return taken
    })
    .filter((part) => part !== '')
  return { parts, isQuoted: false }
}
