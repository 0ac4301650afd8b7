/** Decodes request bodies into checked values, or into a problem that names every broken location. */
import type { Violation } from '../../problem.ts'
import * as audio from './audio-schemas.ts'
import { storedBytes } from './json/stored-size.ts'
import { joinParts, splitResponses } from './render.ts'
import * as wire from './schemas.ts'
import { now, parseTime, secondsAfter } from './time.ts'
import { refuse, shape, violation } from './validation.ts'
import * as voice from './voice-schemas.ts'

/** Bounds of one request. Each name has its unit. */
export type Limits = {
  readonly partsMax: number
  readonly traceBytesMax: number
  readonly metadataBytesMax: number
  readonly jsonDepthMax: number
  readonly urlsMax: number
  readonly aheadSecondsMax: number
}

/** The checked shapes of bodies, each with the bound on nesting. */
const shapesOf = ({ jsonDepthMax }: Limits) => ({
  conversation: shape(wire.NewConversation, jsonDepthMax),
  conversationPatch: shape(wire.ConversationPatch, jsonDepthMax),
  turn: shape(wire.NewTurn, jsonDepthMax),
  segment: shape(wire.NewSegment, jsonDepthMax),
  attachAll: shape(audio.AttachAll, jsonDepthMax),
  attachPart: shape(audio.AttachPart, jsonDepthMax),
  attachByKey: shape(audio.AttachByKey, jsonDepthMax),
  openTurn: shape(voice.OpenTurn, jsonDepthMax),
  halves: shape(voice.TurnHalves, jsonDepthMax),
  interruption: shape(voice.Interruption, jsonDepthMax),
  voiceSession: shape(voice.NewVoiceSession, jsonDepthMax),
})

/**
 * Decoder checks parsed JSON. Every method returns the checked value or throws a `Problem` with
 * violations `in: 'body'`.
 */
export class Decoder {
  readonly #limits: Limits
  readonly #shapes: ReturnType<typeof shapesOf>

  constructor(limits: Limits) {
    this.#limits = limits
    this.#shapes = shapesOf(limits)
  }

  conversation(body: unknown): wire.NewConversation {
    const value = this.#shapes.conversation(body)
    const found: Violation[] = []
    this.#json(found, '/metadata', value.metadata, this.#limits.metadataBytesMax)
    this.#time(found, '/createdAt', value.createdAt)
    refuse(found)
    return value
  }

  conversationPatch(body: unknown): wire.ConversationPatch {
    const value = this.#shapes.conversationPatch(body)
    const found: Violation[] = []
    this.#json(found, '/metadata', value.metadata, this.#limits.metadataBytesMax)
    refuse(found)
    return value
  }

  /** A turn. Its responses are split at `[SPLIT]`. Empty parts are dropped, so it may have none. */
  turn(body: unknown): wire.NewTurn {
    const { user, assistant, segment, ...rest } = this.#shapes.turn(body)
    const found: Violation[] = []
    this.#userRules(found, user)
    const answer = this.#assistantRules(found, assistant)
    if (segment?.agentResponse !== undefined && user === undefined)
      found.push(
        violation(
          'segment-without-user',
          '/segment/agentResponse',
          'needs `user`: only a turn with a human message completes a segment',
        ),
      )
    if (user?.id !== undefined && user.id.toLowerCase() === assistant.id?.toLowerCase())
      found.push(violation('id-taken', '/assistant/id', "is also the human message's id"))
    refuse(found)
    return {
      ...rest,
      ...(user === undefined ? {} : { user }),
      assistant: answer,
      ...(segment === undefined ? {} : { segment }),
    }
  }

  openTurn(body: unknown): voice.OpenTurn {
    const value = this.#shapes.openTurn(body)
    const found: Violation[] = []
    this.#time(found, '/at', value.at)
    refuse(found)
    return value
  }

  /** The halves of an opened turn. The responses are split and may be none, as in `turn`. */
  halves(body: unknown): voice.TurnHalves {
    const { user, assistant, segment } = this.#shapes.halves(body)
    const found: Violation[] = []
    if (user === undefined && assistant === undefined)
      found.push(violation('field-missing', '/user', 'or `assistant` is required'))
    if (segment !== undefined && assistant === undefined)
      found.push(
        violation('field-invalid', '/segment', 'is allowed only together with `assistant`'),
      )
    this.#userRules(found, user)
    const answer = assistant === undefined ? undefined : this.#assistantRules(found, assistant)
    refuse(found)
    return {
      ...(user === undefined ? {} : { user }),
      ...(answer === undefined ? {} : { assistant: answer }),
      ...(segment === undefined ? {} : { segment }),
    }
  }

  interruption(body: unknown): voice.Interruption {
    const value = this.#shapes.interruption(body)
    const { heard } = value
    const found: Violation[] = []
    this.#time(found, '/at', value.at)
    if (heard !== null && Object.keys(heard).length === 0)
      found.push(violation('field-missing', '/heard/characters', 'or another measure is required'))
    refuse(found)
    // The text is split like responses, so that a text of empty parts becomes an empty text.
    return heard?.text === undefined
      ? value
      : { ...value, heard: { ...heard, text: joinParts(splitResponses([heard.text])) } }
  }

  voiceSession(body: unknown): voice.NewVoiceSession {
    const value = this.#shapes.voiceSession(body)
    const found: Violation[] = []
    this.#json(found, '/metadata', value.metadata, this.#limits.metadataBytesMax)
    refuse(found)
    return value
  }

  segment(body: unknown): wire.NewSegment {
    return this.#shapes.segment(body)
  }

  attach(body: unknown): audio.Attach {
    const onePart =
      typeof body === 'object' && body !== null && ('part' in body || 'ttsAudioUrl' in body)
    if (onePart) return this.#shapes.attachPart(body)
    const value = this.#shapes.attachAll(body)
    const found: Violation[] = []
    this.#urls(found, '/ttsAudioUrls', value.ttsAudioUrls)
    refuse(found)
    return value
  }

  attachByKey(body: unknown): audio.AttachByKey {
    const value = this.#shapes.attachByKey(body)
    const found: Violation[] = []
    if (value.part >= this.#limits.partsMax)
      found.push(
        violation(
          'part-out-of-range',
          '/part',
          `an answer has at most ${this.#limits.partsMax} parts`,
        ),
      )
    refuse(found)
    return value
  }

  #userRules(found: Violation[], user: wire.NewTurn['user']): void {
    if (user === undefined) return
    if (user.text === '' && user.voice === undefined)
      found.push(violation('field-invalid', '/user/text', 'may be empty only with `voice`'))
    this.#json(found, '/user/metadata', user.metadata, this.#limits.metadataBytesMax)
    this.#time(found, '/user/at', user.at)
    this.#time(found, '/user/voice/speechEndedAt', user.voice?.speechEndedAt)
  }

  /** Checks the assistant half and returns it with its responses split. */
  #assistantRules(found: Violation[], assistant: wire.NewTurn['assistant']) {
    const { partsMax, metadataBytesMax, traceBytesMax } = this.#limits
    const responses = splitResponses(assistant.responses)
    if (responses.length > partsMax)
      found.push(
        violation(
          'parts-too-many',
          '/assistant/responses',
          `has ${responses.length} parts after splitting, at most ${partsMax} are allowed`,
        ),
      )
    const { metadata, memoryRetrievalTrace } = assistant
    this.#urls(found, '/assistant/ttsAudioUrls', assistant.ttsAudioUrls)
    this.#json(found, '/assistant/metadata', metadata, metadataBytesMax)
    this.#json(found, '/assistant/memoryRetrievalTrace', memoryRetrievalTrace, traceBytesMax)
    this.#time(found, '/assistant/at', assistant.at)
    this.#time(found, '/assistant/firstAudioAt', assistant.firstAudioAt)
    return { ...assistant, responses }
  }

  #urls(found: Violation[], pointer: string, list: readonly unknown[] | undefined): void {
    if (list === undefined) return
    const { urlsMax } = this.#limits
    if (list.length > urlsMax)
      found.push(
        violation(
          'urls-too-many',
          pointer,
          `has ${list.length} URLs, at most ${urlsMax} are allowed`,
        ),
      )
  }

  #json(found: Violation[], pointer: string, value: unknown, bytesMax: number): void {
    if (value === undefined || value === null) return
    const bytes = storedBytes(JSON.stringify(value))
    if (bytes > bytesMax)
      found.push(
        violation('json-too-large', pointer, `has ${bytes} bytes, at most ${bytesMax} are allowed`),
      )
  }

  #time(found: Violation[], pointer: string, text: string | undefined): void {
    if (text === undefined) return
    const { aheadSecondsMax } = this.#limits
    const at = parseTime(text)
    if (at !== undefined && at > secondsAfter(now(), aheadSecondsMax))
      found.push(
        violation('time-ahead', pointer, `is more than ${aheadSecondsMax} s in the future`),
      )
  }
}
