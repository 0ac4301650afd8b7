/** Answers: JSON, and problems. */
import { Buffer } from 'node:buffer'
import type { Problem } from '../../problem.ts'

const json = 'application/json'
const encoder = new TextEncoder()

/**
 * From about 16 KB, Bun sends a body that was made after a real await at a fourth of its speed,
 * unless it is a stream.
 */
const streamFromBytes = 15_000

/** `headers` beside the content type; a 200 unless said otherwise. */
export function answer(
  value: unknown,
  status = 200,
  headers?: Readonly<Record<string, string>>,
): Response {
  return textAnswer(JSON.stringify(value), status, headers)
}

/** JSON that is printed already. */
export function textAnswer(
  text: string,
  status: number,
  headers?: Readonly<Record<string, string>>,
): Response {
  const init = { status, headers: { 'content-type': json, ...headers } }
  // A character takes three bytes at most.
  if (text.length * 3 < streamFromBytes) return new Response(text, init)
  const bytes = encoder.encode(text)
  return new Response(bytes.byteLength < streamFromBytes ? text : streamOf(bytes), init)
}

/** The same as bytes, which must not change any more. */
export const printedAnswer = (
  bytes: Uint8Array<ArrayBuffer>,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Response =>
  new Response(bytes.byteLength < streamFromBytes ? bytes : streamOf(bytes), {
    status,
    headers: { 'content-type': json, ...headers },
  })

/** The same, from items that arrive one by one. */
export const streamedAnswer = (
  stream: ReadableStream<Uint8Array>,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Response => new Response(stream, { status, headers: { 'content-type': json, ...headers } })

const comma = 0x2c

export type Members = Readonly<Record<string, unknown>>

/** The members before and after the list in an object, as printed. */
export function around(
  name: string,
  before: Members,
  after: Members,
): { start: string; end: string } {
  const [head, tail] = [before, after].map((part) => JSON.stringify(part).slice(1, -1))
  return { start: `{${head}${head && ','}"${name}":[`, end: `]${tail && ','}${tail}}` }
}

/** An object with printed messages in it, as JSON. */
export function textWithMessages(texts: readonly string[], before: Members, after: Members) {
  const { start, end } = around('messages', before, after)
  return `${start}${texts.join(',')}${end}`
}

/** The same of any list, and of items as bytes. The members before and after them are ASCII. */
export function bodyWithList(
  name: string,
  texts: readonly Uint8Array[],
  before: Members,
  after: Members,
): Uint8Array<ArrayBuffer> {
  const { start, end } = around(name, before, after)
  let length = start.length + Math.max(0, texts.length - 1) + end.length
  for (const text of texts) length += text.length
  // Of its own, and not of the shared pool: it may be kept for as long as its window.
  const body = Buffer.allocUnsafeSlow(length)
  let at = body.write(start, 0, 'latin1')
  let isFirst = true
  for (const text of texts) {
    if (!isFirst) body[at++] = comma
    isFirst = false
    body.set(text, at)
    at += text.length
  }
  body.write(end, at, 'latin1')
  return body
}

/** One chunk. Bun has a kind of stream of its own for that, which costs a tenth less of the whole answer. */
const streamOf = (bytes: Uint8Array): ReadableStream<Uint8Array> =>
  isDirectKnown
    ? directStreamOf(bytes)
    : new ReadableStream({
        pull(controller) {
          controller.enqueue(bytes)
          controller.close()
        },
      })

function directStreamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  const source = {
    type: 'direct',
    pull(controller: { write(chunk: Uint8Array): unknown; close(): unknown }) {
      controller.write(bytes)
      controller.close()
    },
  }
  // No web standard, so no type of it is. Until the mark it is held back: so all of it is there at the
  // end, and goes with its length in one write to the socket, instead of as a chunk and an end.
  return new ReadableStream(source as unknown as UnderlyingDefaultSource<Uint8Array>, {
    highWaterMark: bytes.byteLength + 1,
  })
}

/** Other runtimes refuse a kind that they do not know. */
const isDirectKnown = (() => {
  try {
    directStreamOf(new Uint8Array(1))
    return true
  } catch {
    return false
  }
})()

/** 204: there was nothing to do. */
export const nothing = (): Response => new Response(null, { status: 204 })

/** A conversation's version as an entity tag, to be sent back as `If-Match`. */
export const entityTag = (version: number): string => `"${version}"`

/** RFC 9457. */
export function problemAnswer(
  problem: Problem,
  requestId: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const { retryAfterSeconds, status } = problem
  return new Response(JSON.stringify(problem.body(requestId)), {
    status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
      ...headers,
    },
  })
}
