/** Attaches audio to messages, and to segments, which get theirs only by way of a message. */
import { isDeepStrictEqual } from 'node:util'
import type { Rest } from '../../client/client.ts'
import type { Attach, AttachedAudio } from '../../conversation/wire/audio-schemas.ts'
import { BoundedMap } from '../../mechanics/bounded-map.ts'
import type { Audio } from '../formats/steps.ts'
import { refusalOf } from '../service-client.ts'

type Urls = Audio['urls']
type Target = Pick<Attach, 'segmentId' | 'updateSegment'>

/** How many tags are remembered with their message; any other message can carry the rest. */
const carriersMax = 1000

/** In characters; shorter URLs together never exceed the bound of a body. */
const longUrl = 256

const isLong = (url: string | null): url is string => url !== null && url.length > longUrl

/** Stands in for a URL that is set by itself. */
const placeholder = 'https://audio.invalid/'

export class Attachments {
  readonly #rest: Rest
  readonly #conversationId: string
  /** Messages with audio and a tag, by their tag. */
  readonly #carriers = new BoundedMap<string, Audio>({ max: carriersMax })

  constructor(rest: Rest, conversationId: string) {
    this.#rest = rest
    this.#conversationId = conversationId
  }

  /** Gives a message its audio and its tag; the segment keeps its own audio. */
  async toMessage(audio: Audio): Promise<void> {
    const { messageId, urls, segmentId } = audio
    await this.#attach(
      messageId,
      urls,
      segmentId === null ? {} : { segmentId, updateSegment: false },
    )
    this.carry(audio)
  }

  /** Notes a message whose audio is there already. */
  carry(audio: Audio): void {
    if (audio.segmentId !== null) this.#carriers.set(audio.segmentId, audio)
  }

  /** False where no message of the conversation can carry audio to a segment yet. */
  async toSegment(segmentId: string, urls: Urls): Promise<boolean> {
    const segment = await this.#rest.getSegment(this.#conversationId, segmentId)
    if (isDeepStrictEqual(segment.ttsAudioUrls, urls)) return true
    const carrier = this.#carriers.get(segmentId) ?? this.#carriers.values().next().value
    if (carrier === undefined) return false
    await this.#attach(carrier.messageId, urls, { segmentId })
    // A message that had another audio or tag lent itself, and gets its own back.
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

  /** URLs that came one by one can be too long for one request together. */
  async #attachByPart(messageId: string, urls: Urls, target: Target): Promise<void> {
    const short = urls.map((url) => (isLong(url) ? placeholder : url))
    const attached = await this.#put(messageId, { ttsAudioUrls: short })
    // What lies beyond the parts did not come one by one, so it fits one request.
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
