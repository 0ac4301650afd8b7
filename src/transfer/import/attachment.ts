/**
 * Attaches audio to messages and segments. The API gives a segment audio only through a message.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Rest } from '../../client/client.ts'
import type { Attach, AttachedAudio } from '../../conversation/wire/audio-schemas.ts'
import { BoundedMap } from '../../mechanics/bounded-map.ts'
import type { Audio } from '../formats/steps.ts'
import { refusalOf } from '../service-client.ts'

type Urls = Audio['urls']
type Target = Pick<Attach, 'segmentId' | 'updateSegment'>

/**
 * Maximum number of segments whose carrier message is remembered. Another message can carry the
 * rest.
 */
const carriersMax = 1000

/**
 * Length in characters above which a URL is long. Shorter URLs together always fit the limit of a
 * body.
 */
const longUrl = 256

const isLong = (url: string | null): url is string => url !== null && url.length > longUrl

/** Placeholder for a URL that a request of its own sets later. */
const placeholder = 'https://audio.invalid/'

export class Attachments {
  readonly #rest: Rest
  readonly #conversationId: string
  /**
   * Messages that have audio and a segment tag, by segment id. They can carry audio to a segment.
   */
  readonly #carriers = new BoundedMap<string, Audio>({ max: carriersMax })

  constructor(rest: Rest, conversationId: string) {
    this.#rest = rest
    this.#conversationId = conversationId
  }

  /** Gives a message its audio and its segment tag. The segment keeps its own audio. */
  async toMessage(audio: Audio): Promise<void> {
    const { messageId, urls, segmentId } = audio
    await this.#attach(
      messageId,
      urls,
      segmentId === null ? {} : { segmentId, updateSegment: false },
    )
    this.noteCarrier(audio)
  }

  /** Notes a message that already has its audio. */
  noteCarrier(audio: Audio): void {
    if (audio.segmentId !== null) this.#carriers.set(audio.segmentId, audio)
  }

  /**
   * Gives a segment its audio. Resolves with false while no message can carry audio to a segment.
   */
  async toSegment(segmentId: string, urls: Urls): Promise<boolean> {
    const segment = await this.#rest.getSegment(this.#conversationId, segmentId)
    if (isDeepStrictEqual(segment.ttsAudioUrls, urls)) return true
    const carrier = this.#carriers.get(segmentId) ?? this.#carriers.values().next().value
    if (carrier === undefined) return false
    await this.#attach(carrier.messageId, urls, { segmentId })
    // A carrier with other audio or another tag gets its own back.
    const isOwn = carrier.segmentId === segmentId && isDeepStrictEqual(carrier.urls, urls)
    if (!isOwn) await this.toMessage(carrier)
    return true
  }

  #put(messageId: string, audio: Attach): Promise<AttachedAudio | null> {
    return this.#rest.attachTts(this.#conversationId, messageId, audio)
  }

  async #attach(messageId: string, urls: Urls, target: Target): Promise<void> {
    try {
      await this.#put(messageId, { ttsAudioUrls: [...urls], ...target })
    } catch (error) {
      if (refusalOf(error)?.code !== 'body-too-large' || !urls.some(isLong)) throw error
      await this.#attachByPart(messageId, urls, target)
    }
  }

  /**
   * Attaches the long URLs one by one: URLs that were attached singly can be too long for one
   * request.
   */
  async #attachByPart(messageId: string, urls: Urls, target: Target): Promise<void> {
    const short = urls.map((url) => (isLong(url) ? placeholder : url))
    const attached = await this.#put(messageId, { ttsAudioUrls: short })
    // URLs after the last part were never attached singly, so they fit one request.
    const parts = attached?.message.parts.length ?? 0
    if (urls.length > parts)
      await this.#put(messageId, { ttsAudioUrls: [...short.slice(0, parts), ...urls.slice(parts)] })
    const byPart = urls
      .slice(0, parts)
      .flatMap((url, part) => (isLong(url) ? [{ ttsAudioUrl: url, part }] : []))
    for (const [n, one] of byPart.entries())
      await this.#put(messageId, { ...one, ...(n === byPart.length - 1 ? target : {}) })
  }
}
