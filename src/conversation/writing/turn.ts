/** Prepares a turn for the database. Its ids and times are chosen before it is sent. */
import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import { fieldsJson, type NewFields, type NewMessage } from '../sql/new-message.ts'
import { messageOf } from '../sql/rows.ts'
import { canonicalId, newId } from '../wire/ids.ts'
import { singleTurnLineage } from '../wire/lineage.ts'
import type { Principal } from '../wire/principal.ts'
import type { Lineage, Message, NewTurn } from '../wire/schemas.ts'
import { now, parseTime, printTime } from '../wire/time.ts'

/** A turn as the record call accepts it. */
export type TurnRow = {
  tenant: string
  conversationId: string
  key: string | null
  hash: string | null
  /** The ids that the caller gave. */
  callerIds: string[] | null
  human: NewMessage | null
  assistant: NewMessage
  segment: string | null
  agentResponse: string | null
  lineage: Lineage | null
  received: string
}

/** A prepared turn, with its JSON text as the record call accepts it. */
export type PreparedTurn = {
  readonly row: TurnRow
  /** The row as JSON, without `n`, its index in the batch. */
  readonly json: string
  /** A JSON object of the optional fields of the row; null if the turn has none. */
  readonly restJson: string | null
  /** Bytes of `json` in UTF-8. */
  readonly bytes: number
}

/**
 * SHA-256 over the canonical JSON (RFC 8785) of the request body, after its responses were split at
 * `[SPLIT]` and before defaults are filled in: an absent time stays absent.
 */
export function requestHash(body: unknown): string {
  return createHash('sha256')
    .update(canonicalize(body) ?? '')
    .digest('hex')
}

/** Prepares a turn. Its responses must be split already, and there must be at least one. */
export function prepareTurn(
  principal: Principal,
  conversationId: string,
  turn: NewTurn,
  key: string | undefined,
): PreparedTurn {
  const { user, assistant, segment } = turn
  const received = now()
  const humanAt = timeOf(user?.at) ?? received
  // The AI message follows the human one by a microsecond, the smallest step that is stored.
  const assistantAt = timeOf(assistant.at) ?? (user === undefined ? received : humanAt + 1n)
  const human = user === undefined ? null : humanMessage(user, printTime(humanAt))
  const answer: NewMessage = {
    id: canonicalId(assistant.id ?? newId()),
    parts: assistant.responses,
    messageType: 'text',
    createdAt: printTime(assistantAt),
    fields: assistantFields(assistant),
  }
  const segmentId = segment === undefined ? null : canonicalId(segment.id)
  const callerIds = [user?.id, assistant.id].flatMap((id) =>
    id === undefined ? [] : [canonicalId(id)],
  )
  const completes = segment?.agentResponse !== undefined && segmentId !== null && human !== null
  const row: TurnRow = {
    tenant: principal.tenant,
    conversationId,
    key: key ?? null,
    hash: key === undefined ? null : requestHash(turn),
    callerIds: callerIds.length > 0 ? callerIds : null,
    human,
    assistant: answer,
    segment: segmentId,
    agentResponse: completes ? (segment.agentResponse ?? null) : null,
    lineage: completes
      ? singleTurnLineage({
          conversationId,
          userMessageId: human.id,
          assistantMessageId: answer.id,
          segmentId,
        })
      : null,
    received: printTime(received),
  }
  const optional = optionalJson(row)
  const json = `${requiredJson(row)}${optional}}`
  return {
    row,
    json,
    restJson: optional === '' ? null : `{${optional.slice(1)}}`,
    bytes: Buffer.byteLength(json),
  }
}

type NewUser = NonNullable<NewTurn['user']>

const humanMessage = (user: NewUser, createdAt: string): NewMessage => ({
  id: canonicalId(user.id ?? newId()),
  parts: [user.text],
  messageType: humanType(user),
  createdAt,
  fields: humanFields(user),
})

export const humanType = (user: Pick<NewUser, 'voice'>): Message['messageType'] =>
  user.voice === undefined ? 'text' : 'audio'

/** The fields of a human message from the request. */
export function humanFields({ voice, metadata }: Omit<NewUser, 'id'>): NewFields {
  const seconds = voice?.durationSeconds ?? 0
  return {
    voiceSessionId: voice?.sessionId ?? null,
    durationSeconds: seconds > 0 ? seconds : null,
    ttsAudioUrls: null,
    memoryRetrievalTrace: null,
    metadata: metadata ?? null,
    speechEndedAt: printedTime(voice?.speechEndedAt),
    firstAudioAt: null,
  }
}

/** The fields of an AI message from the request. */
export function assistantFields(assistant: NewTurn['assistant']): NewFields {
  const urls = assistant.ttsAudioUrls ?? []
  return {
    voiceSessionId: null,
    durationSeconds: null,
    ttsAudioUrls: urls.some((url) => url !== null) ? urls : null,
    memoryRetrievalTrace: assistant.memoryRetrievalTrace ?? null,
    metadata: assistant.metadata ?? null,
    speechEndedAt: null,
    firstAudioAt: printedTime(assistant.firstAudioAt),
  }
}

/**
 * The required fields of a turn as the beginning of a JSON object, without its closing brace. Ids
 * and times that this service made need no escaping.
 */
function requiredJson(row: TurnRow) {
  const { tenant, conversationId, key, hash, callerIds, human, assistant } = row
  const id = callerIds === null ? quoted : JSON.stringify
  let json = `{"tenant":${JSON.stringify(tenant)},"conversation_id":${JSON.stringify(conversationId)},"assistant_id":${id(assistant.id)},"assistant_created_at":"${assistant.createdAt}","assistant_parts":${JSON.stringify(assistant.parts)}`
  if (human !== null)
    json += `,"human_id":${id(human.id)},"human_created_at":"${human.createdAt}","human_message_type":"${human.messageType}","human_text":${JSON.stringify(human.parts[0])}`
  if (key !== null) json += `,"key":${JSON.stringify(key)},"hash":"${hash}"`
  return json
}

/** The optional fields of a turn as members of a JSON object, each after a comma. */
function optionalJson(row: TurnRow): string {
  const { callerIds, human, assistant, segment, agentResponse } = row
  let json = human === null ? '' : fieldsJson('human', human.fields)
  json += fieldsJson('assistant', assistant.fields)
  if (callerIds !== null) json += `,"given":${JSON.stringify(callerIds)}`
  if (segment !== null) json += `,"segment":${JSON.stringify(segment)}`
  if (agentResponse !== null)
    json += `,"agent_response":${JSON.stringify(agentResponse)},"lineage":${JSON.stringify(row.lineage)},"received":"${row.received}"`
  return json
}

const quoted = (text: string) => `"${text}"`

const timeOf = (text: string | undefined) => (text === undefined ? undefined : parseTime(text))

/** A time from a request, printed as the wire prints it. */
export function printedTime(text: string | undefined): string | null {
  const time = timeOf(text)
  return time === undefined ? null : printTime(time)
}

/** The fields of a new message, which no interruption report has changed. */
const unreported = { state: 'filled', heard: null, interruptedAt: null } as const

/**
 * The turn's messages as they are stored at `version` and `seq`. `urls` is the answer's audio that
 * had arrived before the turn, or null.
 */
export function messagesOf(
  { row }: PreparedTurn,
  { version, seq, urls }: { version: number; seq: number; urls: Message['ttsAudioUrls'] },
): Message[] {
  const { conversationId, human, assistant, segment: segmentId } = row
  const turnId = human?.id ?? assistant.id
  const answer = messageOf(conversationId, {
    ...assistant.fields,
    ...unreported,
    id: assistant.id,
    turnId,
    seq: human === null ? seq : seq + 1,
    version,
    role: 'ai',
    parts: assistant.parts,
    messageType: assistant.messageType,
    segmentId,
    ttsAudioUrls: urls ?? assistant.fields.ttsAudioUrls,
    createdAt: assistant.createdAt,
  })
  if (human === null) return [answer]
  const question = messageOf(conversationId, {
    ...human.fields,
    ...unreported,
    id: human.id,
    turnId,
    seq,
    version,
    role: 'human',
    parts: human.parts,
    messageType: human.messageType,
    segmentId,
    createdAt: human.createdAt,
  })
  return [question, answer]
}
