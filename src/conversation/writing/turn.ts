/** One turn on its way into the database: ids and times are settled before it is sent. */
import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import { messageOf } from '../sql/rows.ts'
import { canonicalId, newId } from '../wire/ids.ts'
import { singleTurnLineage } from '../wire/lineage.ts'
import type { Principal } from '../wire/principal.ts'
import type { Message, NewTurn } from '../wire/schemas.ts'
import { now, parseTime, printTime } from '../wire/time.ts'

/** A row of the record function's input; its names are those the function reads. */
export type TurnRow = {
  tenant: string
  c: string
  key: string | null
  hash: string | null
  given: string[] | null
  h_id: string | null
  h_text: string | null
  h_type: 'text' | 'audio'
  h_session: string | null
  h_seconds: number | null
  h_metadata: Message['metadata']
  h_at: string | null
  h_ended: string | null
  a_id: string
  a_parts: string[]
  a_urls: (string | null)[] | null
  a_trace: Message['memoryRetrievalTrace']
  a_metadata: Message['metadata']
  a_at: string
  a_first: string | null
  segment: string | null
  agent_response: string | null
  lineage: unknown
  received: string
}

/** A turn made ready, with its JSON text as the function takes it. */
export type PreparedTurn = {
  readonly row: TurnRow
  /** The row as JSON, without the number that it gets in its batch. */
  readonly json: string
  readonly bytes: number
}

/**
 * SHA-256 over canonical JSON (RFC 8785) of what the caller sent, after `[SPLIT]` canonicalisation
 * and without defaults: an absent time stays absent.
 */
export function requestHash(body: unknown): string {
  return createHash('sha256')
    .update(canonicalize(body) ?? '')
    .digest('hex')
}

/** The turn's responses are split already, and not empty. */
export function prepareTurn(
  principal: Principal,
  conversationId: string,
  turn: NewTurn,
  key: string | undefined,
): PreparedTurn {
  const { user, assistant, segment } = turn
  const received = now()
  const humanAt = timeOf(user?.at) ?? received
  // The AI message follows the human one by a microsecond, the smallest step that is kept.
  const assistantAt = timeOf(assistant.at) ?? (user === undefined ? received : humanAt + 1n)
  const humanId = user === undefined ? null : canonicalId(user.id ?? newId())
  const assistantId = canonicalId(assistant.id ?? newId())
  const segmentId = segment === undefined ? null : canonicalId(segment.id)
  const given = [user?.id, assistant.id].flatMap((id) =>
    id === undefined ? [] : [canonicalId(id)],
  )
  const seconds = user?.voice?.durationSeconds ?? 0
  const urls = assistant.ttsAudioUrls ?? []
  const completes = segment?.agentResponse !== undefined && segmentId !== null && humanId !== null
  const row: TurnRow = {
    tenant: principal.tenant,
    c: conversationId,
    key: key ?? null,
    hash: key === undefined ? null : requestHash(turn),
    given: given.length > 0 ? given : null,
    h_id: humanId,
    h_text: user?.text ?? null,
    h_type: user?.voice === undefined ? 'text' : 'audio',
    h_session: user?.voice?.sessionId ?? null,
    h_seconds: seconds > 0 ? seconds : null,
    h_metadata: user?.metadata ?? null,
    h_at: user === undefined ? null : printTime(humanAt),
    h_ended: printedTime(user?.voice?.speechEndedAt),
    a_id: assistantId,
    a_parts: assistant.responses,
    a_urls: urls.some((url) => url !== null) ? urls : null,
    a_trace: assistant.memoryRetrievalTrace ?? null,
    a_metadata: assistant.metadata ?? null,
    a_at: printTime(assistantAt),
    a_first: printedTime(assistant.firstAudioAt),
    segment: segmentId,
    agent_response: completes ? (segment.agentResponse ?? null) : null,
    lineage: completes
      ? singleTurnLineage({
          conversationId,
          userMessageId: humanId,
          assistantMessageId: assistantId,
          segmentId,
        })
      : null,
    received: printTime(received),
  }
  const json = jsonOf(row)
  return { row, json, bytes: Buffer.byteLength(json) }
}

/**
 * Without what is null, which is most of it: the database reads what is absent as null. Ids and times
 * that are made here have nothing to escape.
 */
function jsonOf(row: TurnRow): string {
  const { tenant, c, given, h_id, h_text, h_at, a_id, a_parts, a_at } = row
  const id = given === null ? quoted : JSON.stringify
  let json = `{"tenant":${JSON.stringify(tenant)},"c":${JSON.stringify(c)},"a_id":${id(a_id)},"a_at":"${a_at}","a_parts":${JSON.stringify(a_parts)},"received":"${row.received}","h_type":"${row.h_type}"`
  if (h_id !== null)
    json += `,"h_id":${id(h_id)},"h_at":"${h_at}","h_text":${JSON.stringify(h_text)}`
  for (const name of rare) {
    const value = row[name]
    if (value !== null) json += `,"${name}":${JSON.stringify(value)}`
  }
  return `${json}}`
}

const quoted = (text: string) => `"${text}"`

type Usual =
  | 'tenant'
  | 'c'
  | 'h_id'
  | 'h_text'
  | 'h_type'
  | 'h_at'
  | 'a_id'
  | 'a_parts'
  | 'a_at'
  | 'received'
type Rare = Exclude<keyof TurnRow, Usual>

const rare = Object.keys({
  key: 0,
  hash: 0,
  given: 0,
  h_session: 0,
  h_seconds: 0,
  h_metadata: 0,
  h_ended: 0,
  a_urls: 0,
  a_trace: 0,
  a_metadata: 0,
  a_first: 0,
  segment: 0,
  agent_response: 0,
  lineage: 0,
} satisfies Record<Rare, 0>) as Rare[]

const timeOf = (text: string | undefined) => (text === undefined ? undefined : parseTime(text))

/** A caller's time in the wire's form. */
export function printedTime(text: string | undefined): string | null {
  const time = timeOf(text)
  return time === undefined ? null : printTime(time)
}

/** What a message has that nobody has reported on. */
const unreported = { state: 'filled', heard: null, interruptedAt: null } as const

/**
 * The turn's messages as they stand in the database, once it is known where. `urls`: the audio of
 * the answer, where some had waited for it.
 */
export function messagesOf(
  { row }: PreparedTurn,
  { version, seq, urls }: { version: number; seq: number; urls: Message['ttsAudioUrls'] },
): Message[] {
  const turnId = row.h_id ?? row.a_id
  const assistant = messageOf(row.c, {
    id: row.a_id,
    turnId,
    seq: row.h_id === null ? seq : seq + 1,
    version,
    role: 'ai',
    parts: row.a_parts,
    messageType: 'text',
    voiceSessionId: null,
    durationSeconds: null,
    segmentId: row.segment,
    ttsAudioUrls: urls ?? row.a_urls,
    memoryRetrievalTrace: row.a_trace,
    metadata: row.a_metadata,
    createdAt: row.a_at,
    ...unreported,
    speechEndedAt: null,
    firstAudioAt: row.a_first,
  })
  if (row.h_id === null || row.h_text === null || row.h_at === null) return [assistant]
  const human = messageOf(row.c, {
    id: row.h_id,
    turnId,
    seq,
    version,
    role: 'human',
    parts: [row.h_text],
    messageType: row.h_type,
    voiceSessionId: row.h_session,
    durationSeconds: row.h_seconds,
    segmentId: row.segment,
    ttsAudioUrls: null,
    memoryRetrievalTrace: null,
    metadata: row.h_metadata,
    createdAt: row.h_at,
    ...unreported,
    speechEndedAt: row.h_ended,
    firstAudioAt: null,
  })
  return [human, assistant]
}
