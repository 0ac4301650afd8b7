/** Splits a stream of bytes into the JSON values in it: documents one after another, or the elements of one list. */
import type { Line } from './lines.ts'

const byte = {
  newline: 0x0a,
  quote: 0x22,
  comma: 0x2c,
  backslash: 0x5c,
  openList: 0x5b,
  closeList: 0x5d,
  openObject: 0x7b,
  closeObject: 0x7d,
} as const

const isSpace = (one: number): boolean => one === 0x20 || (one >= 0x09 && one <= 0x0d)

/** A value as it grows. `text` is undefined once the value is larger than the bound. */
type Growing = { readonly line: number; bytes: number; pieces: Uint8Array[] | undefined }

/**
 * JsonValues finds where values begin and end by their brackets and quotes, so memory holds one value
 * of at most `bytesMax` bytes at a time. A value that is not closed where the next document begins is
 * yielded line by line, so one broken document does not hide the others.
 */
export class JsonValues {
  readonly #bytesMax: number
  /** The depth at which values stand: 1 within a list of documents, else 0. */
  #base: 0 | 1 = 0
  #entersList: boolean
  #depth = 0
  #line = 1
  #isInString = false
  #isEscaped = false
  /** Whether a string of the value contains a line break, which JSON does not allow. */
  #isBroken = false
  #isLineStart = true
  /** The last byte that was not white space. */
  #last = 0
  #value: Growing | undefined

  /** `entersList`: the file is one list, whose elements are the values. */
  constructor(bytesMax: number, entersList: boolean) {
    this.#bytesMax = bytesMax
    this.#entersList = entersList
  }

  async *read(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Line> {
    for await (const chunk of chunks) yield* this.#split(chunk)
    if (this.#value !== undefined) yield* this.#unclosed()
    else if (this.#base === 1)
      yield {
        number: this.#line,
        bytes: 0,
        unusable: 'ends before its list does: the file is cut off',
      }
  }

  *#split(chunk: Uint8Array): Generator<Line> {
    // Where the value in hand begins in this chunk.
    let start = 0
    for (let at = 0; at < chunk.length; at += 1) {
      if (this.#isInString && !this.#isEscaped && !this.#isLineStart) {
        at = endOfPlain(chunk, at)
        if (at === chunk.length) break
      }
      const one = chunk[at] ?? 0
      if (this.#beginsAnew(one)) {
        this.#keep(chunk.subarray(start, at))
        yield* this.#unclosed()
        start = at
      }
      if (this.#value === undefined) {
        if (this.#begins(one)) {
          this.#value = { line: this.#line, bytes: 0, pieces: [] }
          start = at
        }
      } else if (this.#endsScalar(one)) {
        this.#keep(chunk.subarray(start, at))
        yield this.#take()
      }
      const depth = this.#depth
      this.#step(one)
      const isClosed = depth > this.#base && this.#depth === this.#base && !this.#isInString
      if (this.#value !== undefined && isClosed) {
        this.#keep(chunk.subarray(start, at + 1))
        yield this.#take()
      }
    }
    if (this.#value !== undefined) this.#keep(chunk.subarray(start))
  }

  /** Whether a document begins at the start of a line, where the one in hand does not allow it. */
  #beginsAnew(one: number): boolean {
    if (one !== byte.openObject || !this.#isLineStart || this.#base === 1) return false
    if (this.#value === undefined || this.#depth === 0) return false
    const allows = [byte.comma, byte.openList, 0x3a] as readonly number[]
    return this.#isBroken || !allows.includes(this.#last)
  }

  /** Whether a value begins; the bracket of a list that is entered does not begin one. */
  #begins(one: number): boolean {
    if (isSpace(one) || one === byte.comma || isMark(one)) return false
    if (this.#entersList && one === byte.openList) {
      this.#entersList = false
      this.#base = 1
      return false
    }
    return !(this.#base === 1 && one === byte.closeList && this.#depth === 1)
  }

  /** Whether a number, a text or a word has ended before this byte. */
  #endsScalar(one: number): boolean {
    if (this.#depth !== this.#base || this.#isInString) return false
    return isSpace(one) || one === byte.comma || one === byte.closeList
  }

  #step(one: number): void {
    this.#isLineStart = one === byte.newline
    if (one === byte.newline) this.#line += 1
    if (this.#isInString) this.#stepInString(one)
    else if (one === byte.quote) this.#isInString = true
    else if (one === byte.openObject || one === byte.openList) this.#depth += 1
    else if (one === byte.closeObject || one === byte.closeList) this.#close()
    if (!isSpace(one)) this.#last = one
  }

  #stepInString(one: number): void {
    if (this.#isEscaped) this.#isEscaped = false
    else if (one === byte.backslash) this.#isEscaped = true
    else if (one === byte.quote) this.#isInString = false
    if (one !== byte.newline) return
    this.#isInString = false
    this.#isEscaped = false
    this.#isBroken = true
  }

  #close(): void {
    this.#depth = Math.max(0, this.#depth - 1)
    // Documents may follow a list that was entered.
    if (this.#depth < this.#base) this.#base = 0
  }

  #keep(piece: Uint8Array): void {
    const value = this.#value
    if (value === undefined) return
    value.bytes += piece.byteLength
    if (value.bytes > this.#bytesMax) value.pieces = undefined
    // The chunk's memory may be used again by its source.
    else value.pieces?.push(piece.slice())
  }

  /** The value in hand, which has ended. */
  #take(): Line {
    const value = this.#value
    this.#value = undefined
    this.#isBroken = false
    const { line: number = 1, bytes = 0, pieces } = value ?? {}
    if (pieces === undefined)
      return {
        number,
        bytes,
        unusable: `has ${bytes} bytes, and may have ${this.#bytesMax} at most: raise --line-bytes`,
      }
    try {
      return { number, bytes, text: utf8.decode(Buffer.concat(pieces)).trim() }
    } catch {
      return { number, bytes, unusable: 'is not UTF-8' }
    }
  }

  /** The value in hand, which another one or the end of the file cuts. */
  *#unclosed(): Generator<Line> {
    this.#depth = this.#base
    this.#isInString = false
    const whole = this.#take()
    if ('unusable' in whole) return yield whole
    const lines = whole.text.split('\n')
    if (/^[[{\s]+$/.test(lines[0] ?? ''))
      return yield {
        number: whole.number,
        bytes: whole.bytes,
        unusable: 'begins a JSON document that has no end: the file is cut off or is not JSON',
      }
    for (const [index, each] of lines.entries()) {
      const text = each.trim()
      if (text !== '') yield { number: whole.number + index, bytes: text.length, text }
    }
  }
}

/** The index of the next byte that means something within a string. Most bytes of a file are text. */
function endOfPlain(chunk: Uint8Array, start: number): number {
  let at = start
  for (; at < chunk.length; at += 1) {
    const one = chunk[at]
    if (one === byte.quote || one === byte.backslash || one === byte.newline) break
  }
  return at
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** A byte of the mark that some programs write before UTF-8. */
const isMark = (one: number): boolean => one === 0xef || one === 0xbb || one === 0xbf
