/** What callers sent -> checked values, or a problem that names every place that breaks a rule. */
import type { Violation } from '../../problem.ts'
import * as audio from './audio-schemas.ts'
import { storedBytes } from './json/stored-size.ts'
import { joinParts, splitResponses } from './render.ts'
import * as wire from './schemas.ts'
import { now, parseTime, secondsAfter } from './time.ts'
import { refuse, shape, violation } from './validation.ts'
import * as voice from './voice-schemas.ts'

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
  attach(body: unknown): audio.Attach
  attachByKey(body: unknown): audio.AttachByKey
  openTurn(body: unknown): voice.OpenTurn
  /** The responses come back split: perhaps none. */
  halves(body: unknown): voice.TurnHalves
  interruption(body: unknown): voice.Interruption
  voiceSession(body: unknown): voice.NewVoiceSession
}

export function createDecoder(limits: Limits): Decoder {
  const shapes = {
    conversation: shape(wire.NewConversation, limits.jsonDepthMax),
    conversationPatch: shape(wire.ConversationPatch, limits.jsonDepthMax),
    turn: shape(wire.NewTurn, limits.jsonDepthMax),
    segment: shape(wire.NewSegment, limits.jsonDepthMax),
    attachAll: shape(audio.AttachAll, limits.jsonDepthMax),
    attachPart: shape(audio.AttachPart, limits.jsonDepthMax),
    attachByKey: shape(audio.AttachByKey, limits.jsonDepthMax),
    openTurn: shape(voice.OpenTurn, limits.jsonDepthMax),
    halves: shape(voice.TurnHalves, limits.jsonDepthMax),
    interruption: shape(voice.Interruption, limits.jsonDepthMax),
    voiceSession: shape(voice.NewVoiceSession, limits.jsonDepthMax),
  }

  const urls = (found: Violation[], pointer: string, list: readonly unknown[] | undefined) => {
    if (list !== undefined && list.length > limits.urlsMax)
      found.push(
        violation('urls-too-many', pointer, `has ${list.length}, at most ${limits.urlsMax}`),
      )
  }
  const json = (found: Violation[], pointer: string, value: unknown, bytesMax: number) => {
    if (value === undefined || value === null) return
    const bytes = storedBytes(JSON.stringify(value))
    if (bytes > bytesMax)
      found.push(violation('json-too-large', pointer, `has ${bytes} bytes, at most ${bytesMax}`))
  }
  const time = (found: Violation[], pointer: string, text: string | undefined) => {
    const at = text === undefined ? undefined : parseTime(text)
    if (at !== undefined && at > secondsAfter(now(), limits.aheadSecondsMax))
      found.push(
        violation('time-ahead', pointer, `lies more than ${limits.aheadSecondsMax} s ahead`),
      )
  }

  const userRules = (found: Violation[], user: wire.NewTurn['user']) => {
    if (user === undefined) return
    if (user.text === '' && user.voice === undefined)
      found.push(violation('field-invalid', '/user/text', 'may be empty only with `voice`'))
    json(found, '/user/metadata', user.metadata, limits.metadataBytesMax)
    time(found, '/user/at', user.at)
    time(found, '/user/voice/speechEndedAt', user.voice?.speechEndedAt)
  }
  /** The same, with its responses split. */
  const assistantRules = (found: Violation[], assistant: wire.NewTurn['assistant']) => {
    const responses = splitResponses(assistant.responses)
    if (responses.length > limits.partsMax)
      found.push(
        violation(
          'parts-too-many',
          '/assistant/responses',
          `has ${responses.length} parts after splitting, at most ${limits.partsMax}`,
        ),
      )
    const { metadata, memoryRetrievalTrace } = assistant
    urls(found, '/assistant/ttsAudioUrls', assistant.ttsAudioUrls)
    json(found, '/assistant/metadata', metadata, limits.metadataBytesMax)
    json(found, '/assistant/memoryRetrievalTrace', memoryRetrievalTrace, limits.traceBytesMax)
    time(found, '/assistant/at', assistant.at)
    time(found, '/assistant/firstAudioAt', assistant.firstAudioAt)
    return { ...assistant, responses }
  }

  return {
    conversation(body) {
      const value = shapes.conversation(body)
      const found: Violation[] = []
      json(found, '/metadata', value.metadata, limits.metadataBytesMax)
      time(found, '/createdAt', value.createdAt)
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
      const found: Violation[] = []
      userRules(found, user)
      const answer = assistantRules(found, assistant)
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
      refuse(found)
      return {
        ...rest,
        ...(user === undefined ? {} : { user }),
        assistant: answer,
        ...(segment === undefined ? {} : { segment }),
      }
    },

    openTurn(body) {
      const value = shapes.openTurn(body)
      const found: Violation[] = []
      time(found, '/at', value.at)
      refuse(found)
      return value
    },

    halves(body) {
      const { user, assistant, segment } = shapes.halves(body)
      const found: Violation[] = []
      if (user === undefined && assistant === undefined)
        found.push(violation('field-missing', '/user', 'or `assistant` is required'))
      if (segment !== undefined && assistant === undefined)
        found.push(violation('field-invalid', '/segment', 'can stand only beside `assistant`'))
      userRules(found, user)
      const answer = assistant === undefined ? undefined : assistantRules(found, assistant)
      refuse(found)
      return {
        ...(user === undefined ? {} : { user }),
        ...(answer === undefined ? {} : { assistant: answer }),
        ...(segment === undefined ? {} : { segment }),
      }
    },

    interruption(body) {
      const value = shapes.interruption(body)
      const { heard } = value
      const found: Violation[] = []
      time(found, '/at', value.at)
      if (Object.keys(heard).length === 0)
        found.push(
          violation('field-missing', '/heard/characters', 'or another measure is required'),
        )
      refuse(found)
      // As parts are told, so is this: what splits to nothing is nothing.
      return heard.text === undefined
        ? value
        : { ...value, heard: { ...heard, text: joinParts(splitResponses([heard.text])) } }
    },

    voiceSession(body) {
      const value = shapes.voiceSession(body)
      const found: Violation[] = []
      json(found, '/metadata', value.metadata, limits.metadataBytesMax)
      refuse(found)
      return value
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

    attachByKey(body) {
      const value = shapes.attachByKey(body)
      const found: Violation[] = []
      if (value.part >= limits.partsMax)
        found.push(
          violation('part-out-of-range', '/part', `an answer has at most ${limits.partsMax} parts`),
        )
      refuse(found)
      return value
    },
  }
}
