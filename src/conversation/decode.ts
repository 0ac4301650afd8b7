/** What callers sent -> checked values, or a problem that names every place that breaks a rule. */
import { Buffer } from 'node:buffer'
import type { Violation } from '../problem.ts'
import { splitResponses } from './render.ts'
import { refuse, shape, violation } from './shape.ts'
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

export function createDecoder(limits: Limits): Decoder {
  const shapes = {
    conversation: shape(wire.NewConversation, limits.jsonDepthMax),
    conversationPatch: shape(wire.ConversationPatch, limits.jsonDepthMax),
    turn: shape(wire.NewTurn, limits.jsonDepthMax),
    segment: shape(wire.NewSegment, limits.jsonDepthMax),
    attachAll: shape(wire.AttachAll, limits.jsonDepthMax),
    attachPart: shape(wire.AttachPart, limits.jsonDepthMax),
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
