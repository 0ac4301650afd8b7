/** What callers sent -> checked values, or a problem that names every place that breaks a rule. */
import { Buffer } from 'node:buffer'
import type { Static, TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import Format from 'typebox/format'
import { Problem, type ProblemCode, type Violation } from '../problem.ts'
import { splitResponses } from './render.ts'
import { now, parseTime } from './time.ts'
import * as wire from './wire.ts'

/** Bounds on what one request may carry; the unit is in the name. */
export type Limits = {
  readonly partsMax: number
  readonly traceBytesMax: number
  readonly metadataBytesMax: number
  readonly jsonDepthMax: number
  readonly urlsMax: number
  readonly aheadSecondsMax: number
}

/** Each takes parsed JSON and throws a `Problem` with violations `in: 'body'`. */
export type Decoder = {
  conversation(body: unknown): wire.NewConversation
  conversationPatch(body: unknown): wire.ConversationPatch
  /** The responses come back split, without empty parts: perhaps none. */
  turn(body: unknown): wire.NewTurn
  segment(body: unknown): wire.NewSegment
  attach(body: unknown): wire.Attach
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Whether a text is a UUID in its usual form, of any version. */
export const isUuid = (text: string): boolean => uuid.test(text)

const isHttpUrl = (text: string) => /^https?:\/\//i.test(text) && URL.canParse(text)

Format.Set('uuid', isUuid)
Format.Set('turnlog-time', (text) => parseTime(text) !== undefined)
Format.Set('http-url', isHttpUrl)

const formats: Record<string, { code: ProblemCode; message: string }> = {
  uuid: { code: 'id-invalid', message: 'must be a UUID' },
  'turnlog-time': {
    code: 'time-invalid',
    message: 'must be an RFC 3339 time in the years 0001 to 9999',
  },
  'http-url': { code: 'url-invalid', message: 'must be an absolute http or https URL' },
}

export function createDecoder(limits: Limits): Decoder {
  const shapes = {
    conversation: shape(wire.NewConversation, limits),
    conversationPatch: shape(wire.ConversationPatch, limits),
    turn: shape(wire.NewTurn, limits),
    segment: shape(wire.NewSegment, limits),
    attachAll: shape(wire.AttachAll, limits),
    attachPart: shape(wire.AttachPart, limits),
  }

  const urls = (found: Violation[], pointer: string, list: readonly unknown[] | undefined) => {
    if (list !== undefined && list.length > limits.urlsMax)
      found.push(
        violation('urls-too-many', pointer, `has ${list.length}, at most ${limits.urlsMax}`),
      )
  }
  const json = (found: Violation[], pointer: string, value: unknown, bytesMax: number) => {
    if (value === undefined || value === null) return
    const bytes = Buffer.byteLength(JSON.stringify(value))
    if (bytes > bytesMax)
      found.push(violation('json-too-large', pointer, `has ${bytes} bytes, at most ${bytesMax}`))
  }
  const time = (found: Violation[], pointer: string, text: string | undefined) => {
    const at = text === undefined ? undefined : parseTime(text)
    if (at !== undefined && at > now() + BigInt(limits.aheadSecondsMax) * 1_000_000n)
      found.push(
        violation('time-ahead', pointer, `lies more than ${limits.aheadSecondsMax} s ahead`),
      )
  }

  return {
    conversation(body) {
      const value = shapes.conversation(body)
      const found: Violation[] = []
      json(found, '/metadata', value.metadata, limits.metadataBytesMax)
      refuse(found)
      return value
    },

    conversationPatch(body) {
      const value = shapes.conversationPatch(body)
      const found: Violation[] = []
      json(found, '/metadata', value.metadata, limits.metadataBytesMax)
      refuse(found)
      return value
    },

    turn(body) {
      const { user, assistant, segment, ...rest } = shapes.turn(body)
      const responses = splitResponses(assistant.responses)
      const found: Violation[] = []
      if (responses.length > limits.partsMax)
        found.push(
          violation(
            'parts-too-many',
            '/assistant/responses',
            `has ${responses.length} parts after splitting, at most ${limits.partsMax}`,
          ),
        )
      if (user !== undefined && user.text === '' && user.voice === undefined)
        found.push(violation('field-invalid', '/user/text', 'may be empty only with `voice`'))
      if (segment?.agentResponse !== undefined && user === undefined)
        found.push(
          violation(
            'segment-without-user',
            '/segment/agentResponse',
            'needs a human message: only such a turn completes a segment',
          ),
        )
      if (user?.id !== undefined && user.id.toLowerCase() === assistant.id?.toLowerCase())
        found.push(violation('id-taken', '/assistant/id', "is the human message's id, too"))
      urls(found, '/assistant/ttsAudioUrls', assistant.ttsAudioUrls)
      json(found, '/user/metadata', user?.metadata, limits.metadataBytesMax)
      json(found, '/assistant/metadata', assistant.metadata, limits.metadataBytesMax)
      json(
        found,
        '/assistant/memoryRetrievalTrace',
        assistant.memoryRetrievalTrace,
        limits.traceBytesMax,
      )
      time(found, '/user/at', user?.at)
      time(found, '/assistant/at', assistant.at)
      refuse(found)
      return {
        ...rest,
        ...(user === undefined ? {} : { user }),
        assistant: { ...assistant, responses },
        ...(segment === undefined ? {} : { segment }),
      }
    },

    segment: shapes.segment,

    attach(body) {
      const onePart =
        typeof body === 'object' && body !== null && ('part' in body || 'ttsAudioUrl' in body)
      if (onePart) return shapes.attachPart(body)
      const value = shapes.attachAll(body)
      const found: Violation[] = []
      urls(found, '/ttsAudioUrls', value.ttsAudioUrls)
      refuse(found)
      return value
    },
  }
}

/** A schema -> a function that answers the value, or throws every violation at once. */
function shape<T extends TSchema>(schema: T, limits: Limits): (value: unknown) => Static<T> {
  const compiled = Compile(schema)
  return (value) => {
    const found: Violation[] = []
    scan(value, '', 0, limits.jsonDepthMax, found)
    refuse(found)
    if (!compiled.Check(value)) {
      const broken = compiled.Errors(value).flatMap(violationsOf)
      // A union tells of every branch; the first word on a place is the one that helps.
      const first = broken.filter(
        (one, index) => broken.findIndex((other) => other.pointer === one.pointer) === index,
      )
      refuse(first)
    }
    return value as Static<T>
  }
}

type SchemaError = ReturnType<ReturnType<typeof Compile<TSchema>>['Errors']>[number]

function violationsOf(error: SchemaError): Violation[] {
  const at = error.instancePath
  switch (error.keyword) {
    case 'additionalProperties':
      return error.params.additionalProperties.map((name) =>
        violation('field-unknown', `${at}/${escapePointer(String(name))}`, 'is not a known field'),
      )
    case 'required':
      return error.params.requiredProperties.map((name) =>
        violation('field-missing', `${at}/${escapePointer(name)}`, 'is required'),
      )
    // The parent's `additionalProperties` error says the same with the field's name.
    case 'boolean':
      return []
    case 'format': {
      const format = formats[error.params.format]
      if (format !== undefined) return [violation(format.code, at, format.message)]
      break
    }
  }
  return [violation('field-invalid', at, error.message)]
}

/** Finds what JSON can carry and Postgres cannot, and nesting deep enough to exhaust a stack. */
function scan(
  value: unknown,
  pointer: string,
  depth: number,
  depthMax: number,
  found: Violation[],
): void {
  if (typeof value === 'string') {
    if (!isStorable(value))
      found.push(violation('text-invalid', pointer, 'holds NUL or a lone surrogate'))
  } else if (typeof value === 'number') {
    if (!Number.isFinite(value))
      found.push(violation('field-invalid', pointer, 'is beyond the range of a double'))
  } else if (typeof value === 'object' && value !== null) {
    if (depth >= depthMax) {
      found.push(violation('json-too-large', pointer, `nests deeper than ${depthMax} levels`))
      return
    }
    if (Array.isArray(value)) {
      for (const [index, item] of value.entries())
        scan(item, `${pointer}/${index}`, depth + 1, depthMax, found)
    } else {
      for (const [name, item] of Object.entries(value)) {
        if (!isStorable(name))
          found.push(violation('text-invalid', pointer, 'has a field with such a name'))
        scan(item, `${pointer}/${escapePointer(name)}`, depth + 1, depthMax, found)
      }
    }
  }
}

const isStorable = (text: string) => text.isWellFormed() && !text.includes('\0')

const escapePointer = (name: string) => name.replaceAll('~', '~0').replaceAll('/', '~1')

const violation = (code: ProblemCode, pointer: string, message: string): Violation => ({
  code,
  pointer: pointer.toWellFormed(),
  in: 'body',
  message,
})

function refuse(found: readonly Violation[]): void {
  const [first, ...others] = found
  if (first !== undefined) throw Problem.of([first, ...others])
}
