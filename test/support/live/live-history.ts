/** What a run of live delivery leaves behind: everything that was said to and by everyone, and the truth. */
import type { ServerFrame } from '../../../src/live/protocol/server-frames.ts'

/** A follower of conversations, over all its sockets, in the order in which things happened to it. */
export type SubscriberEvent =
  | { readonly kind: 'opened' }
  | { readonly kind: 'closed' }
  /** It asked to follow: from a cursor, from the tail, or from now. */
  | { readonly kind: 'asked'; readonly c: string; readonly cursor?: string; readonly tail?: number }
  | { readonly kind: 'frame'; readonly frame: ServerFrame }

export type SubscriberHistory = { readonly name: string; readonly events: SubscriberEvent[] }

/** `key` names a turn for good; `socket` counts the producer's sockets, and is absent over REST. */
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
      /** A call of it was given up, and may still come to run. */
      readonly isUnsure: boolean
    }

/** What is no turn. Only its producer makes it, and no message is given audio twice. */
export type Change =
  | { readonly what: 'audio'; readonly id: string; readonly urls: readonly string[] }
  | { readonly what: 'segment'; readonly id: string }
  | { readonly what: 'title'; readonly title: string }
  | { readonly what: 'erasure' }

export type ProducerHistory = { readonly name: string; readonly events: ProducerEvent[] }

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

export type TrueConversation = {
  readonly version: number
  readonly selfVersion: number
  readonly lastSeq: number
  readonly title: string | null
  readonly erased: boolean
  readonly messages: readonly TrueMessage[]
  readonly segments: readonly { readonly id: string; readonly version: number }[]
}

/** By conversation. */
export type Truth = ReadonlyMap<string, TrueConversation>

/** When a subscriber stood at the head of a conversation, counted from the healing; undefined: not in time. */
export type Arrival = { readonly name: string; readonly c: string; readonly ms: number | undefined }

/** What a node did by itself that no fault explains: it ended, or told its operator of a fault of its own. */
export type NodeHistory = { readonly name: string; readonly faults: readonly string[] }

export type History = {
  readonly subscribers: readonly SubscriberHistory[]
  readonly producers: readonly ProducerHistory[]
  readonly nodes: readonly NodeHistory[]
  readonly arrivals: readonly Arrival[]
  readonly truth: Truth
}

/** What stands in the tables, past the service and its caches. */
export async function readTruth(databaseUrl: string): Promise<Truth> {
  await using sql = new Bun.SQL(databaseUrl, { max: 1 })
  // One snapshot: some runs look while writers still write.
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
