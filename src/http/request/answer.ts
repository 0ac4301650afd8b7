/** Responses with JSON, and responses with a problem. */
import { Buffer } from 'node:buffer'
import type { Problem } from '../../problem.ts'

const json = 'application/json'
const encoder = new TextEncoder()

/**
 * Bodies of this size and more are sent as streams. From about 16 KB, Bun sends a body that was
 * made after a real await at a quarter of its speed, unless the body is a stream.
 */
const streamFromBytes = 15_000

/** A value as a JSON response. `headers` are added to the content type. @default status 200 */
export function answer(
  value: unknown,
  status = 200,
  headers?: Readonly<Record<string, string>>,
): Response {
  return textAnswer(JSON.stringify(value), status, headers)
}

/** A response of JSON that is already a text. */
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

/** A response of JSON that is already bytes. The bytes must not change afterwards. */
export const printedAnswer = (
  bytes: Uint8Array<ArrayBuffer>,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Response =>
  new Response(bytes.byteLength < streamFromBytes ? bytes : streamOf(bytes), {
    status,
    headers: { 'content-type': json, ...headers },
  })

/** A response of JSON from a stream. */
export const streamedAnswer = (
  stream: ReadableStream<Uint8Array>,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Response => new Response(stream, { status, headers: { 'content-type': json, ...headers } })

const comma = 0x2c

export type Members = Readonly<Record<string, unknown>>

/**
 * The texts before and after the list `name` in a JSON object that has other members on both sides.
 */
export function listBrackets(
  name: string,
  before: Members,
  after: Members,
): { start: string; end: string } {
  const [head, tail] = [before, after].map((part) => JSON.stringify(part).slice(1, -1))
  return { start: `{${head}${head && ','}"${name}":[`, end: `]${tail && ','}${tail}}` }
}

/** A JSON object with the list `messages`, made of messages that are already texts. */
export function textWithMessages(texts: readonly string[], before: Members, after: Members) {
  const { start, end } = listBrackets('messages', before, after)
  return `${start}${texts.join(',')}${end}`
}

/**
 * The bytes of a JSON object with the list `name`, whose items are already bytes. The members
 * before and after the list must be ASCII.
 */
export function bodyWithList(
  name: string,
  texts: readonly Uint8Array[],
  before: Members,
  after: Members,
): Uint8Array<ArrayBuffer> {
  const { start, end } = listBrackets(name, before, after)
  let length = start.length + Math.max(0, texts.length - 1) + end.length
  for (const text of texts) length += text.length
  // The buffer is not taken from the shared pool: the body may stay in memory as long as its
  // window.
  const body = Buffer.allocUnsafeSlow(length)
  let offset = body.write(start, 0, 'latin1')
  let isFirst = true
  for (const text of texts) {
    if (!isFirst) body[offset++] = comma
    isFirst = false
    body.set(text, offset)
    offset += text.length
  }
  body.write(end, offset, 'latin1')
  return body
}

/**
 * A stream of one chunk. With Bun's `direct` kind of stream the whole answer costs a tenth less.
 */
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
  // The `direct` kind is no web standard, so it has no type. Bun holds data back up to the
  // high-water mark. The mark is above the whole body here, so the body is sent in one write and
  // with its length.
  return new ReadableStream(source as unknown as UnderlyingDefaultSource<Uint8Array>, {
    highWaterMark: bytes.byteLength + 1,
  })
}

/** Whether the runtime knows the `direct` kind of stream. Runtimes other than Bun throw for it. */
const isDirectKnown = (() => {
  try {
    directStreamOf(new Uint8Array(1))
    return true
  } catch {
    return false
  }
})()

/** A 204: the request changed nothing. */
export const noContent = (): Response => new Response(null, { status: 204 })

/** The version of a conversation as an ETag. Callers send it back as `If-Match`. */
export const entityTag = (version: number): string => `"${version}"`

/** The response of a problem (RFC 9457), with `Retry-After` if the problem has it. */
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
