/**
 * The history of a run of live delivery: all frames of all clients, and the state in Postgres at
 * the end.
 */
import type { ServerFrame } from '../../../src/live/protocol/server-frames.ts'

/** An event of a subscriber. The events of all its sockets are in one list, in order. */
export type SubscriberEvent =
  | { readonly kind: 'opened' }
  | { readonly kind: 'closed' }
  /** It sent `sub`: with a cursor, with a tail, or with neither. */
  | { readonly kind: 'asked'; readonly c: string; readonly cursor?: string; readonly tail?: number }
  | { readonly kind: 'frame'; readonly frame: ServerFrame }

export type SubscriberHistory = { readonly name: string; readonly events: SubscriberEvent[] }

/** An event of a producer. `socket` is the number of its socket, and absent over REST. */
export type ProducerEvent =
  | {
      readonly kind: 'sent'
      readonly c: string
      readonly key: string
      readonly text: string
      readonly socket?: number
    }
  | {
      readonly kind: 'recorded'
      readonly c: string
      readonly key: string
      readonly version: number
      readonly ids: readonly (string | null)[]
      readonly replayed: boolean
    }
  | { readonly kind: 'refused'; readonly c: string; readonly key: string; readonly code: string }
  | { readonly kind: 'trying'; readonly c: string; readonly change: Change }
  | {
      readonly kind: 'changed'
      readonly c: string
      readonly change: Change
      readonly version: number
      /** Whether a call of the change was given up and may still run later. */
      readonly isUnsure: boolean
    }

/** A write that is not a turn. Only one producer makes it, and no message gets audio twice. */
export type Change =
  | { readonly what: 'audio'; readonly id: string; readonly urls: readonly string[] }
  | { readonly what: 'segment'; readonly id: string }
  | { readonly what: 'title'; readonly title: string }
  | { readonly what: 'erasure' }

export type ProducerHistory = { readonly name: string; readonly events: ProducerEvent[] }

/** A message as it is stored in Postgres. */
export type TrueMessage = {
  readonly id: string
  readonly turnId: string
  readonly seq: number
  readonly version: number
  readonly role: string
  readonly parts: readonly string[]
  readonly messageType: string
  readonly voiceSessionId: string | null
  readonly ttsAudioUrls: readonly (string | null)[] | null
  readonly key: string | null
}

/** A conversation as it is stored in Postgres. */
export type TrueConversation = {
  readonly version: number
  readonly selfVersion: number
  readonly lastSeq: number
  readonly title: string | null
  readonly erased: boolean
  readonly messages: readonly TrueMessage[]
  readonly segments: readonly { readonly id: string; readonly version: number }[]
}

/** The conversations in Postgres, by id. */
export type Truth = ReadonlyMap<string, TrueConversation>

/**
 * Milliseconds from the last fault until a subscriber reached the head. Undefined if it did not in
 * time.
 */
export type Arrival = { readonly name: string; readonly c: string; readonly ms: number | undefined }

/** Failures of a node that no injected fault explains: it ended, or logged a fault of its own. */
export type NodeHistory = { readonly name: string; readonly faults: readonly string[] }

export type History = {
  readonly subscribers: readonly SubscriberHistory[]
  readonly producers: readonly ProducerHistory[]
  readonly nodes: readonly NodeHistory[]
  readonly arrivals: readonly Arrival[]
  readonly truth: Truth
}

/** Reads the tables directly, without the service and its caches. */
export async function readTruth(databaseUrl: string): Promise<Truth> {
  await using sql = new Bun.SQL(databaseUrl, { max: 1 })
  // All reads use one snapshot, because some runs read while producers still write.
  return sql.begin('isolation level repeatable read', async (tx) => {
    type Head = Omit<TrueConversation, 'messages' | 'segments'> & { id: string }
    const heads: Head[] = await tx`
      SELECT id, version::integer AS version, self_version::integer AS "selfVersion",
        last_seq::integer AS "lastSeq", title, erased_at IS NOT NULL AS erased FROM conversations`
    const messages: (TrueMessage & { c: string })[] = await tx`
      SELECT conversation_id AS c, id, turn_id AS "turnId", seq::integer AS seq,
        version::integer AS version, role, to_jsonb(parts) AS parts,
        message_type AS "messageType", voice_session_id AS "voiceSessionId",
        to_jsonb(tts_audio_urls) AS "ttsAudioUrls", idempotency_key AS key
      FROM conversation_messages ORDER BY seq`
    const segments: { c: string; id: string; version: number }[] = await tx`
      SELECT conversation_id AS c, id, version::integer AS version FROM segments`
    const messagesOf = Map.groupBy(messages, ({ c }) => c)
    const segmentsOf = Map.groupBy(segments, ({ c }) => c)
    return new Map(
      heads.map(({ id, ...head }) => [
        id,
        {
          ...head,
          messages: messagesOf.get(id) ?? [],
          segments: segmentsOf.get(id) ?? [],
        },
      ]),
    )
  })
}
