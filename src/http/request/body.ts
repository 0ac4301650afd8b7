/** Request bodies: JSON in strict UTF-8, bounded while they arrive. */

import { parseJson, refuseInexact } from '../../conversation/wire/json-text.ts'
import { nextRound } from '../../mechanics/time-slices.ts'
import { Problem } from '../../problem.ts'

export type BodyRules = {
  /** Whether an absent body is refused. If not, it is read as `{}`. */
  readonly required: boolean
  /** The maximum size of the body, in bytes. */
  readonly maxBytes: number
  /** The name of the setting that `maxBytes` comes from. */
  readonly setting: string
  readonly mediaTypes: readonly string[]
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

const digits = /^\d+$/

/**
 * Reads the JSON value of a body. A media type is checked even if an optional body is absent. Fails
 * with `media-type-unsupported`, `body-too-large`, `body-not-json` or `number-inexact`.
 */
export async function readJson(request: Request, rules: BodyRules): Promise<unknown> {
  const { headers } = request
  const isTyped = rules.required || headers.has('content-type')
  if (isTyped) checkMediaType(headers, rules.mediaTypes)
  const contentLength = headers.get('content-length') ?? ''
  // A body whose Content-Length is too large is not read at all.
  if (Number(contentLength) > rules.maxBytes) throw tooLarge(rules)
  let bytes: Uint8Array
  // HTTP bounds such a body by its Content-Length, and reading it whole costs a fraction of a
  // stream. It is read in this function, because one more async call was measured at 1 to 3 % of a
  // turn's request.
  if (digits.test(contentLength))
    try {
      bytes = await request.bytes()
    } catch (cause) {
      return throwBrokenOff(cause)
    }
  else bytes = await streamedBytes(request, rules)
  if (bytes.byteLength > rules.maxBytes) throw tooLarge(rules)
  if (bytes.byteLength === 0) {
    if (!rules.required) return {}
    throw new Problem('body-not-json', 'The body is empty. It must be a JSON value.')
  }
  if (!isTyped) checkMediaType(headers, rules.mediaTypes)
  const value = parse(bytes)
  if (bytes.byteLength > aloneBytesMax) await nextRound()
  return value
}

function checkMediaType(headers: Headers, mediaTypes: readonly string[]): void {
  const encoding = headers.get('content-encoding')
  if (encoding !== null && encoding.toLowerCase() !== 'identity')
    throw new Problem(
      'media-type-unsupported',
      'Send the body without a Content-Encoding: the service does not read compressed bodies.',
    )
  const contentType = headers.get('content-type')
  // A web page can send a body without a media type to any address. Such a request has an Origin.
  if (contentType === 'application/json' || (contentType === null && !headers.has('origin'))) return
  const [mediaType = '', ...options] = (contentType ?? '')
    .toLowerCase()
    .split(';')
    .map((part) => part.trim())
  if (!mediaTypes.includes(mediaType))
    throw new Problem(
      'media-type-unsupported',
      `Send the body with the header Content-Type: ${mediaTypes.join(' or ')}.`,
    )
  const charset = options.find((option) => option.startsWith('charset='))
  if (charset !== undefined && !/^charset="?utf-?8"?$/.test(charset))
    throw new Problem('media-type-unsupported', 'Send the body in UTF-8.')
}

const noBytes = new Uint8Array()

const tooLarge = ({ maxBytes, setting }: BodyRules): Problem =>
  new Problem('body-too-large', `The body may have ${maxBytes} bytes at most (${setting}).`)

/**
 * The bytes of a body without a Content-Length. Reading stops when the body exceeds its maximum
 * size.
 */
async function streamedBytes(request: Request, rules: BodyRules): Promise<Uint8Array> {
  if (request.body === null) return noBytes
  const chunks: Uint8Array[] = []
  let length = 0
  const reader = request.body.getReader()
  for (;;) {
    const { done, value } = await reader.read().catch(throwBrokenOff)
    if (done) break
    length += value.byteLength
    if (length > rules.maxBytes) {
      // The rest is not needed, and a failure to cancel changes nothing.
      reader.cancel().catch(() => {})
      throw tooLarge(rules)
    }
    chunks.push(value)
  }
  const [first = noBytes] = chunks
  return chunks.length < 2 ? first : concatenate(chunks, length)
}

/**
 * Throws the problem of a body that ended early: the caller disconnected, or broke the rules of
 * HTTP.
 */
const throwBrokenOff = (cause: unknown): never => {
  throw new Problem('body-not-json', 'The body broke off before its end.', { cause })
}

function concatenate(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length)
  let offset = 0
  for (const chunk of chunks) {
    whole.set(chunk, offset)
    offset += chunk.byteLength
  }
  return whole
}

/**
 * After parsing a body of more bytes than this, other requests get a turn before this one is
 * handled.
 */
const aloneBytesMax = 262_144

function parse(bytes: Uint8Array): unknown {
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    throw new Problem('body-not-json', 'The body is not UTF-8.')
  }
  const value = parseJson(text, 'body')
  refuseInexact(text)
  return value
}
