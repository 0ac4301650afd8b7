/**
 * Responses that are mostly a list. Large ones are printed and sent in pieces, so that they do not
 * block the event loop.
 */
import { Buffer } from 'node:buffer'
import { mapInSlices, nextRound } from '../../mechanics/time-slices.ts'
import {
  bodyWithList,
  listBrackets,
  type Members,
  printedAnswer,
  streamedAnswer,
} from './answer.ts'

/** A body with more bytes in its list is sent in pieces: concatenating 80 MB took 0.5 s. */
const wholeBytesMax = 1_048_576
const pieceBytes = 262_144

const empty = new Uint8Array()
const comma = Buffer.from(',')

/**
 * A response of a JSON object with the list `name` between other members. `texts` are the items as
 * JSON. The other members must be ASCII.
 */
export function printedListAnswer(
  name: string,
  texts: readonly Uint8Array[],
  before: Members,
  after: Members,
  headers?: Readonly<Record<string, string>>,
): Response {
  return isWhole(texts)
    ? printedAnswer(bodyWithList(name, texts, before, after), 200, headers)
    : streamedAnswer(piecesOf(name, texts, before, after), 200, headers)
}

/** The same as `printedListAnswer`, but for items that are not yet JSON. */
export async function listAnswer(
  name: string,
  items: readonly unknown[],
  after: Members,
): Promise<Response> {
  return printedListAnswer(name, await mapInSlices(items, jsonBytes), {}, after)
}

/** Whether a list of these items is small enough to send in one piece. */
export function isWhole(texts: readonly Uint8Array[]): boolean {
  let bytes = 0
  for (const text of texts) bytes += text.byteLength
  return bytes <= wholeBytesMax
}

export const jsonBytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))

function piecesOf(
  name: string,
  texts: readonly Uint8Array[],
  before: Members,
  after: Members,
): ReadableStream<Uint8Array> {
  const { start, end } = listBrackets(name, before, after)
  let index = 0
  return new ReadableStream({
    async pull(controller) {
      await nextRound()
      const piece: Uint8Array[] = index === 0 ? [Buffer.from(start)] : []
      for (let bytes = 0; index < texts.length && bytes < pieceBytes; index += 1) {
        const text = texts[index] ?? empty
        if (index > 0) piece.push(comma)
        piece.push(text)
        bytes += text.byteLength
      }
      if (index === texts.length) piece.push(Buffer.from(end))
      controller.enqueue(Buffer.concat(piece))
      if (index === texts.length) controller.close()
    },
  })
}
