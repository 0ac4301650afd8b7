/** Request bodies: bounded while they arrive, strict UTF-8, JSON. */

import { parseJson, refuseInexact } from '../../conversation/wire/json-text.ts'
import { nextRound } from '../../mechanics/time-slices.ts'
import { Problem } from '../../problem.ts'

export type BodyRules = {
  /** What the body may hold, and the setting that says so. */
  readonly maxBytes: number
  readonly setting: string
  readonly mediaTypes: readonly string[]
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** The JSON value of a body. */
export async function readJson(request: Request, rules: BodyRules): Promise<unknown> {
  checkMediaType(request, rules.mediaTypes)
  const bytes = await readBytes(request, rules)
  if (bytes.byteLength === 0)
    throw new Problem('body-not-json', 'The body is empty, and must be a JSON value.')
  const value = parse(bytes)
  if (bytes.byteLength > aloneBytesMax) await nextRound()
  return value
}

/** As `readJson`; an absent body is an empty object. A media type is checked also without a body. */
export async function readOptionalJson(request: Request, rules: BodyRules): Promise<unknown> {
  if (request.headers.has('content-type')) checkMediaType(request, rules.mediaTypes)
  const bytes = await readBytes(request, rules)
  if (bytes.byteLength === 0) return {}
  checkMediaType(request, rules.mediaTypes)
  const value = parse(bytes)
  if (bytes.byteLength > aloneBytesMax) await nextRound()
  return value
}

function checkMediaType({ headers }: Request, mediaTypes: readonly string[]): void {
  const encoding = headers.get('content-encoding')
  if (encoding !== null && encoding.toLowerCase() !== 'identity')
    throw new Problem(
      'media-type-unsupported',
      'Send the body without a Content-Encoding: compressed bodies are not read.',
    )
  const contentType = headers.get('content-type')
  // A web page may send a body without a type to any address, unasked; then it says where it is from.
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

const nothing = new Uint8Array()

async function readBytes(request: Request, { maxBytes, setting }: BodyRules): Promise<Uint8Array> {
  const tooLarge = () =>
    new Problem('body-too-large', `The body may have ${maxBytes} bytes at most (${setting}).`)
  const said = request.headers.get('content-length') ?? ''
  // A body that says it is too large is not read at all.
  if (Number(said) > maxBytes) throw tooLarge()
  // HTTP lets no body be longer than it says, and reading it whole costs a fraction of a stream.
  if (/^\d+$/.test(said)) {
    let bytes: Uint8Array
    try {
      bytes = await request.bytes()
    } catch (cause) {
      return brokenOff(cause)
    }
    if (bytes.byteLength > maxBytes) throw tooLarge()
    return bytes
  }
  if (request.body === null) return nothing
  const chunks: Uint8Array[] = []
  let length = 0
  const reader = request.body.getReader()
  for (;;) {
    const { done, value } = await reader.read().catch(brokenOff)
    if (done) break
    length += value.byteLength
    if (length > maxBytes) {
      // The rest is of no interest, nor is how giving it up goes.
      reader.cancel().catch(() => {})
      throw tooLarge()
    }
    chunks.push(value)
  }
  const [first = nothing] = chunks
  return chunks.length < 2 ? first : joined(chunks, length)
}

/** The caller went away, or what it sent broke the rules of HTTP. */
const brokenOff = (cause: unknown): never => {
  throw new Problem('body-not-json', 'The body broke off before its end.', { cause })
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length)
  let offset = 0
  for (const chunk of chunks) {
    whole.set(chunk, offset)
    offset += chunk.byteLength
  }
  return whole
}

/** Reading a body of more bytes takes long enough that others have a turn before it is dealt with. */
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
