/** The words in schedules of spoken turns. A turn's number and a choice determine every word. */
import { createHash } from 'node:crypto'

export type Heard = {
  readonly parts?: number
  readonly characters?: number
  readonly milliseconds?: number
  readonly text?: string
}

export const nameOf = (key: number) => `turn-${key}`

export const sessionName = (session: number) => `session-${session}`

export const userText = (key: number, words: number) => `user ${key} says ${words}`

/** The session in which words are spoken. Only choice 2 has one, and it may not be started yet. */
export const sessionOf = (words: number): string | null => (words === 2 ? sessionName(0) : null)

export const userOf = (key: number, words: number) => {
  const sessionId = sessionOf(words)
  const voice = sessionId === null ? {} : { voice: { sessionId, durationSeconds: 1 + key } }
  return { text: userText(key, words), ...voice }
}

/**
 * The parts of an answer, one to three. Some characters have two code units, and some graphemes two
 * characters. Choices share parts.
 */
export const answerParts = (key: number, words: number): string[] =>
  [`One 👍🏽 ${key}.`, `answer ${key}`, `${words} 你好 ${key}`].slice(0, 1 + ((key + words) % 3))

export const hashOf = (text: string) => createHash('sha256').update(text).digest('hex')

/**
 * The text that the audio of a part was made from, also for a part that the answer does not have.
 */
export const spokenText = (key: number, part: number, words: number) =>
  answerParts(key, words)[part] ?? 'a part that the answer does not have'

const audio = 'https://audio.example/'

export const urlOf = (key: number, part: number, words: number) => `${audio}${key}/${part}/${words}`

/** The part and the text that the audio of a URL was made for. */
export function madeFor(url: string): { part: number; text: string } {
  const [key = 0, part = 0, words = 0] = url.slice(audio.length).split('/').map(Number)
  return { part, text: spokenText(key, part, words) }
}

/** The time of an interruption report, one of ten. */
export const heardAt = (at: number) => `2026-01-01T00:00:0${at}.000000Z`

export const codePoints = (text: string) => Array.from(text)

const graphemes = new Intl.Segmenter('en')

/** The heard parts of a message. They are empty if nothing was heard. */
export function heardParts(
  said: readonly string[],
  heard: Heard | null,
): { parts: string[]; isQuoted: boolean } {
  if (heard === null) return { parts: [...said], isQuoted: false }
  const { text, characters, milliseconds, parts: whole } = heard
  if (text !== undefined) return { parts: text === '' ? [] : [text], isQuoted: true }
  if (characters === undefined) {
    const isNothing = whole === undefined && milliseconds === 0
    return { parts: isNothing ? [] : said.slice(0, whole), isQuoted: false }
  }
  let remaining = characters
  const parts = said
    .map((part) => {
      let heardText = ''
      for (const { segment } of graphemes.segment(part)) {
        remaining -= codePoints(segment).length
        if (remaining < 0) break
        heardText += segment
      }
      return heardText
    })
    .filter((part) => part !== '')
  return { parts, isQuoted: false }
}
