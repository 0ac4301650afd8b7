/** The REST calls of segments and of the audio (TTS) of answers. */
import type {
  Attach,
  AttachByKey,
  AttachedAudio,
  HeldAudio,
} from '../../conversation/wire/audio-schemas.ts'
import type { NewSegment, Segment, SegmentList } from '../../conversation/wire/schemas.ts'
import type { CallOptions } from './call.ts'
import type { PageOptions } from './read-options.ts'

export type AudioApi = {
  /**
   * Creates a segment, which a later turn can name and complete. If `body` has no id, the client adds a new one. The same
   * id again returns the segment as it is now.
   *
   * @param conversationId The conversation's id.
   * @param body The segment's id.
   * @param options The limits of this call.
   * @returns The segment.
   * @example
   * const segment = await client.createSegment(id)
   */
  createSegment(conversationId: string, body?: NewSegment, options?: CallOptions): Promise<Segment>
  /**
   * Lists the segments of a conversation in the order of their creation.
   *
   * @param conversationId The conversation's id.
   * @param options The page and its length.
   * @returns One page of segments, and `nextPage` for the next one; null after the last.
   * @throws `limit-invalid`, `page-invalid` `limit` is out of range, or `page` is no `nextPage` of an answer.
   * @example
   * const { segments } = await client.listSegments(id)
   */
  listSegments(conversationId: string, options?: PageOptions): Promise<SegmentList>
  /**
   * Reads one segment.
   *
   * @param conversationId The conversation's id.
   * @param id The segment's id.
   * @param options The limits of this call.
   * @returns The segment.
   * @example
   * const segment = await client.createSegment(id)
   * const { ttsAudioUrls } = await client.getSegment(id, segment.id)
   */
  getSegment(conversationId: string, id: string, options?: CallOptions): Promise<Segment>
  /**
   * Attaches audio (TTS) to an AI message: all its URLs, or the URL of one part.
   *
   * @param conversationId The conversation's id.
   * @param messageId The id of the AI message.
   * @param audio `ttsAudioUrls` with one URL per part, or `part` (from 0) and `ttsAudioUrl`.
   * @param options The limits of this call.
   * @returns The message as it is now, or null: there was nothing to attach.
   * @throws `message-not-found`, `message-not-ai` The message does not exist, or is a human message.
   * @throws `part-out-of-range` The message has no such part.
   * @throws `audio-stale` `textHash` is the hash of another text than the part has.
   * @throws `urls-too-many`, `url-invalid` There are too many URLs, or one is not absolute http or https.
   * @example
   * await client.attachTts(id, messageId, { ttsAudioUrls: ['https://cdn.example/1.mp3'] })
   */
  attachTts(
    conversationId: string,
    messageId: string,
    audio: Attach,
    options?: CallOptions,
  ): Promise<AttachedAudio | null>
  /**
   * Attaches audio (TTS) to the AI message with the highest `seq`. The client does not resend this call after a lost
   * answer, because by then another message may be the latest.
   *
   * @param conversationId The conversation's id.
   * @param audio `ttsAudioUrls` with one URL per part, or `part` (from 0) and `ttsAudioUrl`.
   * @param options The limits of this call.
   * @returns The message as it is now, or null: there was nothing to attach, or no AI message.
   * @throws `part-out-of-range` The message has no such part.
   * @throws `audio-stale` `textHash` is the hash of another text than the part has.
   * @throws `urls-too-many`, `url-invalid` There are too many URLs, or one is not absolute http or https.
   * @example
   * await client.attachTtsToLatest(id, { ttsAudioUrls: ['https://cdn.example/1.mp3'] })
   */
  attachTtsToLatest(
    conversationId: string,
    audio: Attach,
    options?: CallOptions,
  ): Promise<AttachedAudio | null>
  /**
   * Attaches audio (TTS) to one part of the answer of the turn that the key names. If the turn has no answer yet, the
   * service holds the audio until `heldUntil`.
   *
   * @param conversationId The conversation's id.
   * @param audio The turn's key, the `part` (from 0), the URL, and in `textHash` the SHA-256 of the part's text in
   *   hexadecimal digits.
   * @param options The limits of this call.
   * @returns The message as it is now, or `heldUntil`: the time until which the service holds the audio.
   * @throws `part-out-of-range` The answer has no such part.
   * @throws `audio-stale` `textHash` is the hash of another text than the part has.
   * @throws `held-audio-too-much` Too much audio of the conversation waits for its turns.
   * @throws `url-invalid` The URL is not absolute http or https.
   * @example
   * const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode('At eight.'))
   * const textHash = new Uint8Array(bytes).toHex()
   * const ttsAudioUrl = 'https://cdn.example/1.mp3'
   * await client.attachByKey(id, { key: 'call-10', part: 0, textHash, ttsAudioUrl })
   */
  attachByKey(
    conversationId: string,
    audio: AttachByKey,
    options?: CallOptions,
  ): Promise<AttachedAudio | HeldAudio>
}
