/** A batch of turns as a call of the database: which function, and what it is given. */
import type { Statement } from '../../ports/database.ts'
import type { PreparedTurn } from './turn.ts'

const answer = 'n, outcome, version, seq, head, turn_id AS "turnId", urls, began'

/** One turn. */
export const loneTurn = `SELECT ${answer}
  FROM turnlog_record_turn_v1(
    p_tenant => $1::text, p_conversation_id => $2::uuid, p_key => $3::text, p_hash => $4::text,
    p_human_id => $5::uuid, p_human_text => $6::text, p_human_message_type => $7::text,
    p_human_created_at => $8::text::timestamptz, p_assistant_id => $9::uuid, p_assistant_parts => $10::text[],
    p_assistant_created_at => $11::text::timestamptz, p_rest => $12::text::jsonb, p_wait => $13::boolean,
    p_lock_timeout_ms => $14::integer)`

/** Any turns at once. Of plain ones, the service has counted what the database needs. */
export const anyTurns = `SELECT ${answer}
  FROM turnlog_record_turns_v1(
    p_turns => $1::text::jsonb, p_wait => $2::boolean, p_plain => $3::boolean, p_named => $4::boolean,
    p_ids => $5::text[]::uuid[], p_tenants => $6::text[], p_counts => $7::text[]::integer[],
    p_places => $8::text[]::integer[], p_ats => $9::text[]::timestamptz[], p_lines => $10::text[]::integer[],
    p_turns_before => $11::text[]::integer[], p_places_before => $12::text[]::integer[],
    p_lock_timeout_ms => $13::integer)`

export type RecordCallOptions = {
  /** Wait for conversations that another writer holds. */
  readonly wait: boolean
  readonly lockTimeoutMs: number
}

/** The call that records these turns. It answers a row for each, `n` its place here. */
export function recordCall(turns: readonly PreparedTurn[], options: RecordCallOptions): Statement {
  const [first] = turns
  return turns.length === 1 && first !== undefined
    ? loneCall(first, options)
    : batchCall(turns, turns.every(isPlain), options)
}

/** The call for any turns. Where `isEachPlain` is false, the rules for all turns decide. */
export function batchCall(
  turns: readonly PreparedTurn[],
  isEachPlain: boolean,
  { wait, lockTimeoutMs }: RecordCallOptions,
): Statement {
  const { lines, turnsBefore, placesBefore, conversations } = sorted(turns)
  return {
    text: anyTurns,
    params: [
      `[${turns.map((turn, n) => `{"n":${n},${turn.json.slice(1)}`).join(',')}]`,
      wait,
      isEachPlain,
      turns.some(isNamed),
      conversations.map(({ id }) => id),
      conversations.map(({ tenant }) => tenant),
      conversations.map((one) => `${one.turns}`),
      conversations.map((one) => `${one.places}`),
      conversations.map((one) => one.at),
      lines,
      turnsBefore,
      placesBefore,
      lockTimeoutMs,
    ],
  }
}

/** Whether a turn names no segment and no ids of its own. */
const isPlain = ({ row }: PreparedTurn) => row.segment === null && row.callerIds === null

/** Whether a turn has a key or a voice session to be looked up. */
const isNamed = ({ row }: PreparedTurn) =>
  row.key !== null || (row.human?.fields.voiceSessionId ?? null) !== null

function loneCall(
  { row, restJson }: PreparedTurn,
  { wait, lockTimeoutMs }: RecordCallOptions,
): Statement {
  const { human, assistant } = row
  return {
    text: loneTurn,
    params: [
      row.tenant,
      row.conversationId,
      row.key,
      row.hash,
      human?.id ?? null,
      human?.parts[0] ?? null,
      human?.messageType ?? null,
      human?.createdAt ?? null,
      assistant.id,
      assistant.parts,
      assistant.createdAt,
      restJson,
      wait,
      lockTimeoutMs,
    ],
  }
}

type Conversation = {
  readonly id: string
  readonly tenant: string
  turns: number
  places: number
  /** Of its last answer. */
  at: string
  /** Its place in the order of ids, from 1. */
  line: number
}

/** Conversations in the order of their ids, and where in them each turn stands. */
function sorted(turns: readonly PreparedTurn[]) {
  const byName = new Map<string, Conversation>()
  const turnsBefore: string[] = []
  const placesBefore: string[] = []
  const own = turns.map(({ row }) => {
    const { conversationId: id, tenant, assistant } = row
    // Under another tenant it is another one, which the database will not find.
    const name = `${tenant}/${id}`
    const found = byName.get(name)
    const one = found ?? { id, tenant, turns: 0, places: 0, at: assistant.createdAt, line: 0 }
    if (found === undefined) byName.set(name, one)
    turnsBefore.push(`${one.turns}`)
    placesBefore.push(`${one.places}`)
    one.turns += 1
    one.places += row.human === null ? 1 : 2
    // Times are printed in one form, so that their texts have their order.
    if (assistant.createdAt > one.at) one.at = assistant.createdAt
    return one
  })
  const conversations = [...byName.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
  for (const [index, one] of conversations.entries()) one.line = index + 1
  return { lines: own.map(({ line }) => `${line}`), turnsBefore, placesBefore, conversations }
}
