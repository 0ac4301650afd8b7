/** The record call of a batch: the database function that is called, and its parameters. */
import type { Statement } from '../../ports/database.ts'
import type { PreparedTurn } from './turn.ts'

const answer = 'n, outcome, version, seq, head, turn_id AS "turnId", urls, began'

/** The call for one turn. */
export const loneTurn = `SELECT ${answer}
  FROM turnlog_record_turn_v1(
    p_tenant => $1::text, p_conversation_id => $2::uuid, p_key => $3::text, p_hash => $4::text,
    p_human_id => $5::uuid, p_human_text => $6::text, p_human_message_type => $7::text,
    p_human_created_at => $8::text::timestamptz, p_assistant_id => $9::uuid, p_assistant_parts => $10::text[],
    p_assistant_created_at => $11::text::timestamptz, p_rest => $12::text::jsonb, p_wait => $13::boolean,
    p_lock_timeout_ms => $14::integer)`

/** The call for any turns at once. For plain turns, the service has counted already. */
export const anyTurns = `SELECT ${answer}
  FROM turnlog_record_turns_v1(
    p_turns => $1::text::jsonb, p_wait => $2::boolean, p_plain => $3::boolean, p_named => $4::boolean,
    p_ids => $5::text[]::uuid[], p_tenants => $6::text[], p_counts => $7::text[]::integer[],
    p_places => $8::text[]::integer[], p_ats => $9::text[]::timestamptz[], p_lines => $10::text[]::integer[],
    p_turns_before => $11::text[]::integer[], p_places_before => $12::text[]::integer[],
    p_lock_timeout_ms => $13::integer)`

export type RecordCallOptions = {
  /** Whether the call waits for conversations that another writer has locked. */
  readonly wait: boolean
  readonly lockTimeoutMs: number
}

/**
 * The call that records these turns. It returns a row for each turn; `n` is the turn's index in
 * `turns`.
 */
export function recordCall(turns: readonly PreparedTurn[], options: RecordCallOptions): Statement {
  const [first] = turns
  return turns.length === 1 && first !== undefined
    ? loneCall(first, options)
    : batchCall(turns, turns.every(isPlain), options)
}

/**
 * The call for any turns. The service counts the turns and messages of each conversation. If
 * `isEachPlain` is false, the database ignores these counts and decides about each turn itself.
 */
export function batchCall(
  turns: readonly PreparedTurn[],
  isEachPlain: boolean,
  { wait, lockTimeoutMs }: RecordCallOptions,
): Statement {
  const { conversationIndexes, turnsBefore, messagesBefore, conversations } = sorted(turns)
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
      conversations.map((one) => `${one.messages}`),
      conversations.map((one) => one.lastAnswerAt),
      conversationIndexes,
      turnsBefore,
      messagesBefore,
      lockTimeoutMs,
    ],
  }
}

/** Whether a turn has no segment and no ids that the caller gave. */
const isPlain = ({ row }: PreparedTurn) => row.segment === null && row.callerIds === null

/** Whether a turn has a key or a voice session that the database must look up. */
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
  messages: number
  /** The time of its latest answer. */
  lastAnswerAt: string
  /** Its index in the order of ids, from 1. */
  index: number
}

/**
 * Counts the conversations of a batch in the order of their ids, and each turn's position in its
 * conversation.
 */
function sorted(turns: readonly PreparedTurn[]) {
  const byName = new Map<string, Conversation>()
  const turnsBefore: string[] = []
  const messagesBefore: string[] = []
  const conversationByTurn = turns.map(({ row }) => {
    const { conversationId: id, tenant, assistant } = row
    // The same id under another tenant is another conversation, which the database will not find.
    const name = `${tenant}/${id}`
    const found = byName.get(name)
    const one = found ?? {
      id,
      tenant,
      turns: 0,
      messages: 0,
      lastAnswerAt: assistant.createdAt,
      index: 0,
    }
    if (found === undefined) byName.set(name, one)
    turnsBefore.push(`${one.turns}`)
    messagesBefore.push(`${one.messages}`)
    one.turns += 1
    one.messages += row.human === null ? 1 : 2
    // All times are printed in one form, so comparing their texts compares the times.
    if (assistant.createdAt > one.lastAnswerAt) one.lastAnswerAt = assistant.createdAt
    return one
  })
  const conversations = [...byName.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
  for (const [index, one] of conversations.entries()) one.index = index + 1
  return {
    conversationIndexes: conversationByTurn.map(({ index }) => `${index}`),
    turnsBefore,
    messagesBefore,
    conversations,
  }
}
