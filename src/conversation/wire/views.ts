/**
 * Views of a conversation. A history omits seats without words. The heard view omits text that the
 * listener did not hear before an interruption, so that an LLM does not believe it was heard.
 */
import { isInterrupted, parseMessage, printMessage, stateOf } from './message-text.ts'
import { joinParts, splitResponses } from './render.ts'
import type { Message } from './schemas.ts'

/** `said`: the whole text that the agent sent. `heard`: the text that the listener heard. */
export const views = ['said', 'heard'] as const
export type View = (typeof views)[number]

/** The choice of messages and text for a reader. */
export type Shown = {
  readonly view: View
  /** Whether pending seats are included. */
  readonly pending: boolean
}

/** The default: the said view, without pending seats. */
export const said: Shown = { view: 'said', pending: false }

/**
 * The parts that the listener heard. If the report has a text, it is that text. Otherwise it is the
 * reported number of characters (Unicode code points, counted through all parts), up to the last
 * whole grapheme, otherwise the reported number of parts. Milliseconds alone shorten nothing, unless
 * they are 0. The result is empty if nothing was heard.
 */
export function heardParts({ parts, heard }: Pick<Message, 'parts' | 'heard'>): string[] {
  if (heard?.text !== undefined) return splitResponses([heard.text])
  if (heard?.characters !== undefined) return cut(parts, heard.characters)
  if (heard?.parts !== undefined) return parts.slice(0, heard.parts)
  return heard?.milliseconds === 0 ? [] : parts
}

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** The end of the last whole grapheme that ends at `end` or before it. */
const wholeGraphemes = (text: string, end: number): number =>
  graphemes.segment(text).containing(end)?.index ?? end

function cut(parts: readonly string[], characters: number): string[] {
  const heardSoFar: string[] = []
  let remaining = characters
  for (const part of parts) {
    if (remaining <= 0) break
    let end = 0
    for (; remaining > 0 && end < part.length; remaining -= 1)
      end += (part.codePointAt(end) ?? 0) > 0xffff ? 2 : 1
    const whole = end < part.length ? wholeGraphemes(part, end) : end
    if (whole > 0) heardSoFar.push(part.slice(0, whole))
  }
  return heardSoFar
}

/** The message as the listener heard it; undefined if the listener heard none of it. */
export function asHeard(message: Message): Message | undefined {
  if (message.interruptedAt === null) return message
  const parts = heardParts(message)
  return parts.length === 0 ? undefined : { ...message, parts, content: joinParts(parts) }
}

/** A printed message in a view; undefined if the view omits it. */
export function shown(text: Uint8Array, { view, pending }: Shown): Uint8Array | undefined {
  const state = stateOf(text)
  if (state !== 'filled') return pending && state === 'pending' ? text : undefined
  if (view === 'said' || !isInterrupted(text)) return text
  const message = asHeard(parseMessage(text))
  return message === undefined ? undefined : printMessage(message)
}
