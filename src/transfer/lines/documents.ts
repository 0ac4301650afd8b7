/** Reads the JSON documents of a file: one a line, printed over several lines, or elements of a list. */
import { JsonValues } from './json-values.ts'
import { type Line, readLines } from './lines.ts'

export type DocumentOptions = {
  /** The largest document, in bytes. */
  readonly bytesMax: number
  /** Whether a value is a message: a list of messages is one document, any other list holds documents. */
  readonly isMessage: (value: unknown) => boolean
}

/**
 * Yields each document with the number of its first line. The file's first bytes decide how it is
 * read. A comma at the end of a line is cut. Memory holds one document at a time.
 */
export async function* readDocuments(
  chunks: AsyncIterable<Uint8Array>,
  { bytesMax, isMessage }: DocumentOptions,
): AsyncGenerator<Line> {
  const source = chunks[Symbol.asyncIterator]()
  const head: Uint8Array[] = []
  let layout: Layout | undefined
  let bytes = 0
  let nextLookBytes = 0
  while (layout === undefined) {
    const next = await source.next()
    if (next.done === true) layout = layoutOf(Buffer.concat(head), isMessage) ?? 'lines'
    else {
      head.push(next.value)
      bytes += next.value.byteLength
      // Looking at twice as much each time keeps the cost linear.
      if (bytes >= nextLookBytes || bytes > bytesMax) {
        layout = layoutOf(Buffer.concat(head), isMessage)
        nextLookBytes = bytes * 2
      }
      if (bytes > bytesMax) layout ??= isListStart(head) ? 'list' : 'lines'
    }
  }
  const all = followedBy(head, source)
  if (layout === 'lines')
    for await (const line of readLines(all, bytesMax)) yield withoutComma(line)
  else yield* new JsonValues(bytesMax, layout === 'list').read(all)
}

/**
 * How a file holds its documents: one in each line (`lines`), over several lines (`values`), or as the
 * elements of one list (`list`).
 */
type Layout = 'lines' | 'values' | 'list'

/** Undefined if the first bytes do not decide. */
function layoutOf(head: Uint8Array, isMessage: DocumentOptions['isMessage']): Layout | undefined {
  const text = new TextDecoder().decode(head).trimStart()
  if (text === '') return undefined
  if (!/^[[{]/.test(text)) return 'lines'
  const firstLine = text.includes('\n') ? text.slice(0, text.indexOf('\n')) : undefined
  if (text.startsWith('[')) {
    const element = firstElement(text)
    if (element === undefined) return undefined
    if (!isMessage(element.value)) return 'list'
  }
  if (firstLine === undefined) return undefined
  return isJsonText(cut(firstLine.trim())) ? 'lines' : 'values'
}

/** The first element of a list whose text may go on; undefined until the element is complete. */
function firstElement(text: string): { readonly value: unknown } | undefined {
  const ends = [...text.slice(1).matchAll(/[}\]]/g)].map(({ index }) => index + 2)
  if (/^\[\s*\]/.test(text)) return { value: undefined }
  for (const end of ends.slice(0, closersMax)) {
    const value = parsed(text.slice(1, end))
    if (value !== undefined) return { value }
  }
  return ends.length > closersMax ? { value: undefined } : undefined
}

/** Closing brackets at which the first element may end: a larger one is a document. */
const closersMax = 64

const isListStart = ([first]: readonly Uint8Array[]): boolean =>
  new TextDecoder().decode(first?.subarray(0, 64)).trimStart().startsWith('[')

async function* followedBy(
  head: readonly Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield* head
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value
}

const withoutComma = (line: Line): Line =>
  'text' in line ? { ...line, text: cut(line.text) } : line

/** Cuts the comma that remains when the brackets around a list are removed. */
const cut = (text: string) => text.replace(/(?<=[}\]])\s*,$/, '')

const isJsonText = (text: string): boolean => parsed(text) !== undefined

/** The value of a JSON text; undefined if it is none. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
