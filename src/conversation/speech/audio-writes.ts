/** Writes of AI audio (TTS), attached to a message, to the latest one, or by the turn's key. */
import { type Problem, violationProblem } from '../../problem.ts'
import type { Reader } from '../reading/reader.ts'
import { type MessageRow, messageFromRow, messageList } from '../sql/rows.ts'
import type { Attach, AttachByKey, AttachedAudio, HeldAudio } from '../wire/audio-schemas.ts'
import { encodeCursor } from '../wire/ids.ts'
import type { Principal } from '../wire/principal.ts'
import { now, printTime, secondsAfter } from '../wire/time.ts'
import type { Writes } from '../writing/writes.ts'

export const attachCall = `SELECT a.outcome, a.version AS "at", a.parts AS "partCount", ${messageList('(a.message)')}
  FROM turnlog_attach_v2($1, $2::uuid, $3::uuid, $4, $5::text[], $6::integer, $7, decode($8, 'hex'),
    $9::uuid, $10::boolean, $11::text::timestamptz, $12::text::timestamptz, $13::integer, $14::integer) a`

export type AttachedRow = MessageRow & { outcome: string; at: number; partCount: number }

export type AudioWrites = {
  /**
   * Attaches audio to the AI message `messageId`, or to the latest AI message if it is undefined.
   * Returns null if every URL is null or the conversation has no AI message. Fails with
   * `message-not-found`, `message-not-ai`, `part-out-of-range`, `audio-stale` or
   * `segment-not-found`.
   */
  attachTts(
    principal: Principal,
    id: string,
    messageId: string | undefined,
    body: Attach,
  ): Promise<AttachedAudio | null>
  /**
   * Attaches audio to one part of an answer. The turn is named by its idempotency key. If the turn
   * has no answer yet, the audio is held until the answer is recorded, or until `heldUntil`. Fails
   * with `part-out-of-range`, `audio-stale` or `held-audio-too-much`.
   */
  attachByKey(
    principal: Principal,
    id: string,
    body: AttachByKey,
  ): Promise<AttachedAudio | HeldAudio>
}

export type AudioBounds = {
  /** How long early audio is held, in seconds. */
  readonly heldAudioSeconds: number
  /** Maximum of parts with held audio in one conversation. */
  readonly heldAudioMax: number
}

export function createAudioWrites(
  { write, announce, lockTimeoutMs }: Writes,
  reader: Reader,
  { heldAudioSeconds, heldAudioMax }: AudioBounds,
): AudioWrites {
  const attach = async (
    principal: Principal,
    id: string,
    target: { readonly messageId?: string | undefined; readonly key?: string },
    body: Attach | AttachByKey,
  ) => {
    const received = now()
    const heldUntil = printTime(secondsAfter(received, heldAudioSeconds))
    const row = await write<AttachedRow>(
      attachCall,
      [
        principal.tenant,
        id,
        target.messageId ?? null,
        target.key ?? null,
        ...columnsOf(body),
        printTime(received),
        heldUntil,
        heldAudioMax,
        lockTimeoutMs,
      ],
      ['attached', 'unchanged', 'nothing', 'held', 'part-out-of-range'],
      // When the call is repeated, another message may be the latest.
      { isRepeatable: target.messageId !== undefined || target.key !== undefined },
    )
    if (row.outcome === 'part-out-of-range') throw partOutOfRange(row)
    if (row.outcome === 'nothing') return null
    const at = { version: row.at, cursor: encodeCursor(id, row.at) }
    if (row.outcome === 'held') return { heldUntil, ...at }
    const message = messageFromRow(id, row)
    const isSegments = 'segmentId' in body && body.segmentId !== undefined
    if (row.outcome === 'attached')
      announce(
        principal,
        id,
        row.at,
        isSegments ? 'more' : 'messages',
        message.version === row.at ? [message] : [],
      )
    return { messageId: message.id, ...at, message }
  }

  return {
    async attachTts(principal, id, messageId, body) {
      if ('ttsAudioUrls' in body && body.ttsAudioUrls.every((url) => url === null)) {
        await reader.head(principal, id)
        return null
      }
      const attached = await attach(principal, id, { messageId }, body)
      return attached !== null && 'messageId' in attached ? attached : null
    },

    async attachByKey(principal, id, body) {
      const attached = await attach(principal, id, { key: body.key }, body)
      if (attached === null) throw new Error('the attach call neither attached nor held the audio')
      return attached
    },
  }
}

/** The body as parameters of the attach call. */
const columnsOf = (body: Attach | AttachByKey) => [
  'ttsAudioUrls' in body ? body.ttsAudioUrls : null,
  'part' in body ? body.part : null,
  'ttsAudioUrl' in body ? body.ttsAudioUrl : null,
  'textHash' in body ? (body.textHash ?? null) : null,
  'segmentId' in body ? (body.segmentId ?? null) : null,
  'updateSegment' in body ? (body.updateSegment ?? true) : true,
]

const partOutOfRange = ({ partCount }: AttachedRow): Problem =>
  violationProblem([
    {
      code: 'part-out-of-range',
      in: 'body',
      pointer: '/part',
      message: `the message has ${partCount} parts, counted from 0`,
    },
  ])
