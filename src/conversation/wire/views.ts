/**
 * Pure: what a reader is shown of a conversation. Seats without words are no part of a history, and
 * an LLM must not believe that it said what nobody heard.
 */
import { isInterrupted, parseMessage, printMessage, stateOf } from './message-text.ts'
import { joinParts, splitResponses } from './render.ts'
import type { Message } from './schemas.ts'

/** `said`: what was said, whatever was heard of it. `heard`: what the listener heard. */
export const views = ['said', 'heard'] as const
export type View = (typeof views)[number]

export type Shown = {
  readonly view: View
  /** With the seats that wait for their words. */
  readonly pending: boolean
}

/** What most readers are shown. */
export const said: Shown = { view: 'said', pending: false }

/**
 * The parts as they were heard: the caller's text, else as many characters (Unicode code points over
 * the parts one after another), else as many parts. Empty: nothing was.
 */
export function heardParts({ parts, heard }: Pick<Message, 'parts' | 'heard'>): string[] {
  if (heard?.text !== undefined) return splitResponses([heard.text])
  if (heard?.characters !== undefined) return cut(parts, heard.characters)
  if (heard?.parts !== undefined) return parts.slice(0, heard.parts)
  return parts
}

function cut(parts: readonly string[], characters: number): string[] {
  const kept: string[] = []
  let left = characters
  for (const part of parts) {
    if (left <= 0) break
    let end = 0
    for (; left > 0 && end < part.length; left -= 1)
      end += (part.codePointAt(end) ?? 0) > 0xffff ? 2 : 1
    kept.push(part.slice(0, end))
  }
  return kept
}

/** The message as it was heard; undefined where nothing of it was. */
export function asHeard(message: Message): Message | undefined {
  if (message.interruptedAt === null) return message
  const parts = heardParts(message)
  return parts.length === 0 ? undefined : { ...message, parts, content: joinParts(parts) }
}

/** A printed message as it is shown; undefined where it is not. */
export function shown(text: Uint8Array, { view, pending }: Shown): Uint8Array | undefined {
  const state = stateOf(text)
  if (state !== 'filled') return pending && state === 'pending' ? text : undefined
  if (view === 'said' || !isInterrupted(text)) return text
  const message = asHeard(parseMessage(text))
  return message === undefined ? undefined : printMessage(message)
}
