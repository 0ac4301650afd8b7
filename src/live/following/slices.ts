/**
 * What was read or committed of a conversation lately, kept for a while: slices of its changes, from
 * which many cursors are served. Any chain of slices that join is good, whenever each was read: a row
 * stands in the slice that holds its version, and one touched later comes again in a later slice.
 */
import type { Slice } from '../../conversation/reading/live-reads.ts'
import type { Message } from '../../conversation/wire/schemas.ts'
import { changeText } from '../protocol/frame-text.ts'

/** From `last` on: rows at or below it are left out. */
export function sliceAfter(slice: Slice, last: number): Slice {
  if (slice.from >= last) return slice
  const { version, messages, segments, voiceSessions, conversation, selfVersion = 0 } = slice
  const later = <Row extends { readonly version: number }>(rows: readonly Row[]) =>
    rows.filter((row) => row.version > last)
  return {
    from: last,
    version,
    messages: later(messages),
    segments: later(segments),
    voiceSessions: later(voiceSessions),
    ...(conversation !== undefined && selfVersion > last ? { conversation, selfVersion } : {}),
  }
}

/** A commit of many turns as slices of about so many characters; a version is never cut. */
export function splitSlice(slice: Slice, charactersMax: number): Slice[] {
  const pieces: Slice[] = []
  let { from } = slice
  let messages: Message[] = []
  let characters = 0
  for (const message of slice.messages) {
    const before = messages.at(-1)
    if (before !== undefined && before.version < message.version && characters > charactersMax) {
      pieces.push({ from, version: before.version, messages, segments: [], voiceSessions: [] })
      from = before.version
      messages = []
      characters = 0
    }
    messages.push(message)
    characters += weightOf(message)
  }
  return [...pieces, { ...slice, from, messages }]
}

/** Of ids, times and names in a message that is printed. */
const plainCharacters = 500

/** About what it takes when printed, told without printing all of it. */
function weightOf({ content, metadata, memoryRetrievalTrace, ttsAudioUrls }: Message): number {
  const others = [metadata, memoryRetrievalTrace, ttsAudioUrls].filter((one) => one != null)
  // `content` says once more what `parts` say.
  return (
    plainCharacters + content.length * 2 + (others.length === 0 ? 0 : JSON.stringify(others).length)
  )
}

/** A slice as the text of its frame, which its receivers share. */
export type ReadySlice = { readonly version: number; readonly text: string }

type KeptSlice = {
  readonly slice: Slice
  readonly at: number
  readonly length: number
  /** By where they begin. */
  readonly texts: Map<number, string>
}

/** Most texts of one slice: receivers mostly stand at few places. */
const textsMax = 4

const slicesMax = 64
const sliceMs = 10_000

export class Slices {
  readonly #id: string
  readonly #charactersMax: number
  /** The one added last stands last. */
  #keptSlices: KeptSlice[] = []
  #characters = 0

  constructor(conversationId: string, charactersMax: number) {
    this.#id = conversationId
    this.#charactersMax = charactersMax
  }

  add(slice: Slice): void {
    const text = changeText(this.#id, slice)
    const texts = new Map([[slice.from, text]])
    this.#keptSlices.push({ slice, at: performance.now(), length: text.length, texts })
    this.#characters += text.length
    while (
      this.#keptSlices.length > 1 &&
      (this.#keptSlices.length > slicesMax || this.#characters > this.#charactersMax)
    )
      this.#drop()
  }

  /** What leads on from `last`; undefined where it is not here. */
  after(last: number): ReadySlice | undefined {
    // Mostly the newest is asked for.
    for (let index = this.#keptSlices.length - 1; index >= 0; index -= 1) {
      const kept = this.#keptSlices[index]
      if (kept === undefined || kept.slice.from > last || kept.slice.version <= last) continue
      const { slice, texts } = kept
      let text = texts.get(last)
      if (text === undefined) {
        text = changeText(this.#id, sliceAfter(slice, last))
        if (texts.size < textsMax) texts.set(last, text)
      }
      return { version: slice.version, text }
    }
    return undefined
  }

  clear(): void {
    this.#keptSlices = []
    this.#characters = 0
  }

  /** Lets go of what is old. */
  tick(now: number): void {
    while (this.#keptSlices.length > 0 && now - (this.#keptSlices[0]?.at ?? now) > sliceMs)
      this.#drop()
  }

  #drop(): void {
    this.#characters -= this.#keptSlices.shift()?.length ?? 0
  }
}
