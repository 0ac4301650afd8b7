/** A batch of turns as a call of the database: which function, and what it is given. */
import type { Statement } from '../../ports/database.ts'
import type { PreparedTurn } from './turn.ts'

const answer = 'n, outcome, version, seq, head, turn_id AS "turnId", urls, began'

/** The rules for every turn, whatever it asks for. */
export const anyTurns = `SELECT ${answer}
  FROM turnlog_record_v2($1::text::jsonb, $2::boolean, $3::integer)`

/** A turn by itself that names no segment, no session and no ids of its own, and brings no audio. */
export const loneTurn = `SELECT ${answer}
  FROM turnlog_record_one_v1($1::text, $2::uuid, $3::text, $4::text, $5::uuid, $6::text, $7::text,
    $8::text::jsonb, $9::text::timestamptz, $10::uuid, $11::text[], $12::text::jsonb, $13::text::jsonb,
    $14::text::timestamptz, $15::integer)`

/** Several turns at once that name no segment and no ids of their own, where nobody is waited for. */
export const plainTurns = `SELECT ${answer}
  FROM turnlog_record_v3($1::text::jsonb, $2::boolean, $3::text[]::uuid[], $4::text[],
    $5::text[]::integer[], $6::text[]::integer[], $7::text[]::timestamptz[],
    $8::text[]::integer[], $9::text[]::integer[], $10::text[]::integer[], $11::integer)`

/** `wait` for conversations that another writer holds. Answers a row for each turn, `n` its place here. */
export function recordCall(
  turns: readonly PreparedTurn[],
  wait: boolean,
  lockTimeoutMs: number,
): Statement {
  const [first] = turns
  if (!wait && turns.length === 1 && first !== undefined && isLone(first))
    return loneCall(first, lockTimeoutMs)
  const json = `[${turns.map((turn, n) => `{"n":${n},${turn.json.slice(1)}`).join(',')}]`
  if (wait || turns.length === 1 || !turns.every(isPlain))
    return { text: anyTurns, params: [json, wait, lockTimeoutMs] }
  const isNamed = ({ row }: PreparedTurn) => row.key !== null || row.h_session !== null
  const { lines, turnsBefore, placesBefore, conversations } = sorted(turns)
  return {
    text: plainTurns,
    params: [
      json,
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

/** It names no segment and no ids of its own. */
const isPlain = ({ row }: PreparedTurn) => row.segment === null && row.given === null

/** Nor a voice session, and it brings no audio. */
const isLone = (turn: PreparedTurn) => isPlain(turn) && isWritten(turn)

const isWritten = ({ row }: PreparedTurn) =>
  row.h_session === null &&
  row.h_seconds === null &&
  row.h_ended === null &&
  row.a_first === null &&
  row.a_urls === null

function loneCall({ row }: PreparedTurn, lockTimeoutMs: number): Statement {
  const json = (value: unknown) => (value === null ? null : JSON.stringify(value))
  return {
    text: loneTurn,
    params: [
      row.tenant,
      row.c,
      row.key,
      row.hash,
      row.h_id,
      row.h_text,
      row.h_type,
      json(row.h_metadata),
      row.h_at,
      row.a_id,
      row.a_parts,
      json(row.a_trace),
      json(row.a_metadata),
      row.a_at,
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
    const { c: id, tenant } = row
    // Under another tenant it is another one, which the database will not find.
    const name = `${tenant}/${id}`
    const found = byName.get(name)
    const one = found ?? { id, tenant, turns: 0, places: 0, at: row.a_at, line: 0 }
    if (found === undefined) byName.set(name, one)
    turnsBefore.push(`${one.turns}`)
    placesBefore.push(`${one.places}`)
    one.turns += 1
    one.places += row.h_id === null ? 1 : 2
    // Times are printed in one form, so that their texts have their order.
    if (row.a_at > one.at) one.at = row.a_at
    return one
  })
  const conversations = [...byName.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
  for (const [index, one] of conversations.entries()) one.line = index + 1
  return { lines: own.map(({ line }) => `${line}`), turnsBefore, placesBefore, conversations }
}
