/**
 * Slices keeps the recent changes of a conversation for a while, and serves subscriptions at
 * different versions from them. A slice holds the rows that changed after one version, up to
 * another. Slices of any age can be delivered one after the other: a row is in the slice of its
 * version, and a row that changed later is in a later slice again.
 */
import type { Slice } from '../../conversation/reading/live-reads.ts'
import type { Message } from '../../conversation/wire/schemas.ts'
import { changeText } from '../protocol/frame-text.ts'

/** The slice without the rows at or below version `last`. */
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

/**
 * Splits a commit of many turns into slices of about `charactersMax` characters. All rows of a
 * version stay in one slice.
 */
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

/** The approximate number of characters of a message's ids, times and field names as JSON. */
const plainCharacters = 500

/** The approximate number of characters of a message as JSON. The exact number would cost more. */
function weightOf({ content, metadata, memoryRetrievalTrace, ttsAudioUrls }: Message): number {
  const others = [metadata, memoryRetrievalTrace, ttsAudioUrls].filter((one) => one != null)
  // `content` repeats the text of `parts`.
  return (
    plainCharacters + content.length * 2 + (others.length === 0 ? 0 : JSON.stringify(others).length)
  )
}

/** A slice as the text of its frame. All receivers share the text. */
export type ReadySlice = { readonly version: number; readonly text: string }

type KeptSlice = {
  readonly slice: Slice
  readonly at: number
  readonly length: number
  /** The texts of the slice, by the version after which they begin. */
  readonly texts: Map<number, string>
}

/** The maximum number of texts of one slice. Receivers are mostly at the same few versions. */
const textsMax = 4

/** The maximum number of kept slices. */
const slicesMax = 64
/** Milliseconds for which a slice is kept. */
const sliceMs = 10_000

export class Slices {
  readonly #id: string
  readonly #charactersMax: number
  /** The oldest slice is the first. */
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

  /** The changes after version `last`. Undefined if no kept slice has them. */
  after(last: number): ReadySlice | undefined {
    // Most callers need the newest slice.
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

  /** Drops the slices that are older than `sliceMs`. */
  tick(now: number): void {
    while (this.#keptSlices.length > 0 && now - (this.#keptSlices[0]?.at ?? now) > sliceMs)
      this.#drop()
  }

  #drop(): void {
    this.#characters -= this.#keptSlices.shift()?.length ?? 0
  }
}
