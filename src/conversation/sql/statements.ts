/**
 * The SQL of reads. $1 is the tenant; in reads of one conversation, $2 is its id.
 */
import { type ConversationRow, conversationList, messageList, segmentList } from './rows.ts'

export type HeadRow = { headVersion: number; headSeq: number; headErased: string | null }

/** A row of a left join to the head. Its own columns are null if nothing was joined. */
export type HeadJoined<Row> = HeadRow & (Row | { [Name in keyof Row]: null })

const headOf =
  'SELECT version, last_seq, erased_at FROM conversations WHERE tenant = $1 AND id = $2::uuid'
const headList = 'h.version AS "headVersion", h.last_seq AS "headSeq", h.erased_at AS "headErased"'

/** Selects the head joined to the rows of a subquery. The subquery may refer to the head as `h`. */
export const joinedToHead = (list: string, rows: string, order: string) =>
  `WITH h AS MATERIALIZED (${headOf}) SELECT ${headList}, ${list}
   FROM h LEFT JOIN LATERAL (${rows}) r ON true ORDER BY ${order}`

/** True if nothing was heard, by the first of these measures that the report has. */
const unheard = `coalesce(m.heard->>'text' = '', m.heard->>'characters' = '0', m.heard->>'parts' = '0', m.heard->>'milliseconds' = '0', false)`

/** $6 are the states shown, null for all; $7 leaves out messages of which nothing was heard. */
const window = (direction: 'ASC' | 'DESC') =>
  joinedToHead(
    messageList('r'),
    `SELECT m.* FROM conversation_messages m WHERE m.conversation_id = $2::uuid
       AND m.seq > $3::bigint AND m.seq < $4::bigint
       AND ($6::text[] IS NULL OR m.state = ANY ($6::text[])) AND NOT ($7::boolean AND ${unheard})
     ORDER BY m.seq ${direction} LIMIT $5::integer`,
    'r.seq',
  )

/** The shown messages of the newest $3 turns that have any. $4 and $5 are $6 and $7 of `window`. */
const newestTurns = () => {
  const ofTurn = `m.conversation_id = $2::uuid AND m.turn_id = f.turn_id
    AND m.seq IN (f.seq, coalesce(f.answer_seq, f.seq + 1))
    AND m.state = ANY ($4::text[]) AND NOT ($5::boolean AND ${unheard})`
  return joinedToHead(
    messageList('r'),
    `SELECT m.*, f.seq AS first_seq
     FROM (SELECT f.turn_id, f.seq, f.answer_seq FROM conversation_messages f
       WHERE f.conversation_id = $2::uuid AND f.id = f.turn_id
         AND EXISTS (SELECT 1 FROM conversation_messages m WHERE ${ofTurn})
       ORDER BY f.seq DESC LIMIT $3::integer) f
     JOIN conversation_messages m ON ${ofTurn}`,
    'r.first_seq, r.seq',
  )
}

export const statements = {
  head: `WITH h AS (${headOf}) SELECT ${headList} FROM h`,
  conversation: `SELECT ${conversationList('c')} FROM conversations c WHERE c.tenant = $1 AND c.id = $2::uuid`,
  byExternalId: `SELECT ${conversationList('c')} FROM conversation_external_ids x
    JOIN conversations c ON c.tenant = x.tenant AND c.id = x.conversation_id
    WHERE x.tenant = $1 AND x.external_id = $2`,
  oldest: window('ASC'),
  newest: window('DESC'),
  newestTurns: newestTurns(),
  turn: `WITH f AS MATERIALIZED (SELECT f.seq, coalesce(f.answer_seq, f.seq + 1) AS answer FROM conversation_messages f
      WHERE f.tenant = $1 AND f.conversation_id = $2::uuid AND f.id = $3::uuid)
    SELECT ${messageList('m')} FROM conversation_messages m
    WHERE m.conversation_id = $2::uuid AND m.turn_id = $3::uuid
      AND m.seq IN ((SELECT seq FROM f), (SELECT answer FROM f))
    ORDER BY m.seq`,
  segment: joinedToHead(
    segmentList('r'),
    'SELECT s.* FROM segments s WHERE s.conversation_id = $2::uuid AND s.id = $3::uuid',
    'r.id',
  ),
}

const activity = 'coalesce(c.last_message_at, c.created_at)'

const conversationsAfter = (condition: string) =>
  `SELECT ${conversationList('c')}, ${activity}::text AS "activity" FROM conversations c
   WHERE c.tenant = $1 AND c.erased_at IS NULL ${condition}
   ORDER BY ${activity} DESC, c.id DESC LIMIT $2::integer`

const segmentsAfter = (condition: string) =>
  joinedToHead(
    segmentList('r'),
    `SELECT s.* FROM segments s WHERE s.conversation_id = $2::uuid ${condition}
     ORDER BY s.created_at, s.id LIMIT $3::integer`,
    'r.created_at, r.id',
  )

/** `activity` is the time by which the list is sorted; a page token holds the last one. */
export type ListedConversationRow = ConversationRow & { activity: string }

export const lists = {
  conversations: conversationsAfter(''),
  conversationsMore: conversationsAfter(`AND (${activity}, c.id) < ($3::timestamptz, $4::uuid)`),
  segments: segmentsAfter(''),
  segmentsMore: segmentsAfter('AND (s.created_at, s.id) > ($4::timestamptz, $5::uuid)'),
}
