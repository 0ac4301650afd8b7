/** Dialogues as JSON Lines: `{ "id", "turns": [{ "speaker": "user" | "system", "text" }] }`. */
import { readFileSync } from 'node:fs'

/** A human message and the answer, whose parts are its sentences. Without `user`, the agent speaks first. */
export type Exchange = { readonly user?: string; readonly parts: string[] }
export type Dialogue = { readonly id: string; readonly exchanges: Exchange[] }

type Line = { id: string; turns: { speaker: string; text: string }[] }

export function readDialogues(path: string, count: number): Dialogue[] {
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
  return lines.slice(0, count).map((line) => {
    const { id, turns } = JSON.parse(line) as Line
    const exchanges: Exchange[] = []
    let user: string | undefined
    for (const { speaker, text } of turns) {
      if (speaker === 'user') user = user === undefined ? text : `${user} ${text}`
      else {
        exchanges.push({ ...(user === undefined ? {} : { user }), parts: sentences(text) })
        user = undefined
      }
    }
    return { id, exchanges }
  })
}

/** The sentences of a text. Joined, they are the text again. */
const sentences = (text: string): string[] => [
  ...(text.match(/[^.?!。？！]*[.?!。？！]*\s*/gu)?.filter((one) => one !== '') ?? [text]),
]

/** The growing text as speech recognition hears it: word after word, in any language. */
export function words(text: string): string[] {
  const segments = new Intl.Segmenter(undefined, { granularity: 'word' }).segment(text)
  return [...segments]
    .filter(({ isWordLike }) => isWordLike)
    .map(({ segment, index }) => text.slice(0, index + segment.length))
}
