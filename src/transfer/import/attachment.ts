/** Audio by way of REST: of a message, and of a segment, which gets it only by way of a message. */
import { isDeepStrictEqual } from 'node:util'
import type { AttachedAudio } from '../../conversation/wire/audio-schemas.ts'
import type { Segment } from '../../conversation/wire/schemas.ts'
import { BoundedMap } from '../../mechanics/bounded-map.ts'
import type { Audio } from '../formats/steps.ts'
import { Refused, type Rest } from '../rest.ts'

type Urls = Audio['urls']

/** More tags than this are found again by any other message. */
const carriersMax = 1000

/** In characters; shorter ones never add up to too much. */
const longUrl = 256

/** Stands in for a URL that is set by itself. */
const placeholder = 'https://audio.invalid/'

export type Attachments = {
  /** Gives a message its audio and its tag; the segment keeps its own audio. */
  toMessage(audio: Audio): Promise<void>
  /** Notes a message whose audio is there already. */
  carry(audio: Audio): void
  /** False where no message of the conversation can carry audio to a segment yet. */
  toSegment(segmentId: string, urls: Urls): Promise<boolean>
}

export function createAttachments(rest: Rest, conversationPath: string): Attachments {
  /** Messages with audio and a tag, by their tag. */
  const carriers = new BoundedMap<string, Audio>({ max: carriersMax })

  const put = (messageId: string, body: unknown) =>
    rest.send<AttachedAudio>('PUT', `${conversationPath}/messages/${messageId}/tts`, body)

  const attach = async (messageId: string, urls: Urls, target: object): Promise<void> => {
    try {
      await put(messageId, { ttsAudioUrls: urls, ...target })
    } catch (error) {
      const isLong = urls.some((url) => url !== null && url.length > longUrl)
      if (!(error instanceof Refused) || error.code !== 'body-too-large' || !isLong) throw error
      await attachByPart(messageId, urls, target)
    }
  }
  /** URLs that came one by one can be too long for one request together. */
  const attachByPart = async (messageId: string, urls: Urls, target: object): Promise<void> => {
    const long = urls.flatMap((url, part) =>
      url !== null && url.length > longUrl ? [{ url, part }] : [],
    )
    const short = urls.map((url) => (url !== null && url.length > longUrl ? placeholder : url))
    const { body } = await put(messageId, { ttsAudioUrls: short })
    // What lies beyond the parts did not come one by one, so it fits one request.
    const parts = body.message.parts.length
    if (urls.length > parts)
      await put(messageId, { ttsAudioUrls: [...short.slice(0, parts), ...urls.slice(parts)] })
    const byPart = long.filter(({ part }) => part < parts)
    for (const [n, { url, part }] of byPart.entries())
      await put(messageId, {
        part,
        ttsAudioUrl: url,
        ...(n === byPart.length - 1 ? target : {}),
      })
  }

  const carry = (audio: Audio) => {
    if (audio.segmentId !== null) carriers.set(audio.segmentId, audio)
  }
  const toMessage = async (audio: Audio) => {
    const { messageId, urls, segmentId } = audio
    await attach(messageId, urls, segmentId === null ? {} : { segmentId, updateSegment: false })
    carry(audio)
  }

  return {
    toMessage,
    carry,
    async toSegment(segmentId, urls) {
      const segment = await rest.get<Segment>(`${conversationPath}/segments/${segmentId}`)
      if (isDeepStrictEqual(segment.ttsAudioUrls, urls)) return true
      const carrier = carriers.get(segmentId) ?? carriers.values().next().value
      if (carrier === undefined) return false
      await attach(carrier.messageId, urls, { segmentId })
      // A message that had another audio or tag lent itself, and gets its own back.
      const isOwn = carrier.segmentId === segmentId && isDeepStrictEqual(carrier.urls, urls)
      if (!isOwn) await toMessage(carrier)
      return true
    },
  }
}
