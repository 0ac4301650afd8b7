/** The writes of conversations themselves: create, patch, erase. */
import { Problem, violationProblem } from '../../problem.ts'
import type { Reader } from '../reading/reader.ts'
import { type ConversationRow, conversationFromRow, conversationList } from '../sql/rows.ts'
import { canonicalId, encodeCursor, newId } from '../wire/ids.ts'
import { mergePatch } from '../wire/json/merge-patch.ts'
import { storedBytes } from '../wire/json/stored-size.ts'
import type { Principal } from '../wire/principal.ts'
import type {
  Conversation,
  ConversationPatch,
  ErasureReceipt,
  NewConversation,
} from '../wire/schemas.ts'
import { now, printTime, timeFromPostgres } from '../wire/time.ts'
import { printedTime, requestHash } from './turn.ts'
import type { Writes } from './writes.ts'

export type ConversationWrites = {
  /**
   * Creates a conversation, or returns the one that the same body created before (`created:
   * false`). Fails with `conversation-taken` or `external-id-taken` if another body took the id or
   * external id.
   */
  createConversation(
    principal: Principal,
    body: NewConversation,
  ): Promise<{ conversation: Conversation; created: boolean }>
  /**
   * Applies a JSON Merge Patch to the conversation's own fields. Fails with `version-mismatch` if
   * `ifMatch` is given and is not the conversation's version, with `external-id-taken`, with
   * `json-too-large` if the merged metadata is too large, and with `conversation-busy` if other
   * writers changed it during every attempt.
   */
  patchConversation(
    principal: Principal,
    id: string,
    patch: ConversationPatch,
    ifMatch?: number,
  ): Promise<Conversation>
  /** Erases a conversation. A repeated call returns the first erasure's receipt. */
  eraseConversation(principal: Principal, id: string): Promise<ErasureReceipt>
}

/**
 * Deadline of an erasure in milliseconds. It deletes any number of rows, so it gets more time than
 * other writes.
 */
const erasureDeadlineMs = 60_000

/** Maximum of attempts of a patch. It is computed again if another writer changed the row first. */
const patchAttempts = 20
const patchPauseMs = 2

export type WrittenConversationRow = ConversationRow & { outcome: string }

export type ErasedRow = {
  outcome: string
  version: number
  erasedAt: string
  messages: number
  segments: number
}

export const conversationCalls = {
  create: `SELECT w.outcome, ${conversationList('(w.conversation)')} FROM turnlog_create_v1(
    $1, $2::uuid, $3::boolean, $4, $5, $6::text::jsonb, $7, $8::text::timestamptz, $9::integer) w`,
  patch: `SELECT w.outcome, ${conversationList('(w.conversation)')} FROM turnlog_patch_v1(
    $1, $2::uuid, $3::bigint, $4::bigint, $5, $6, $7::text::jsonb, $8::integer) w`,
  erase: `SELECT outcome, version, erased_at AS "erasedAt", messages, segments
    FROM turnlog_erase_v1($1, $2::uuid, $3::text::timestamptz, $4::integer)`,
}

export function createConversationWrites(
  { write, announce, lockTimeoutMs }: Writes,
  reader: Reader,
  metadataBytesMax: number,
): ConversationWrites {
  return {
    async createConversation(principal, body) {
      const row = await write<WrittenConversationRow>(
        conversationCalls.create,
        [
          principal.tenant,
          canonicalId(body.id ?? newId()),
          body.id !== undefined,
          body.externalId ?? null,
          body.title ?? null,
          jsonOf(body.metadata),
          requestHash(body),
          printedTime(body.createdAt) ?? printTime(now()),
          lockTimeoutMs,
        ],
        ['created', 'existing'],
        { isRepeatable: body.id !== undefined || body.externalId !== undefined },
      )
      const created = row.outcome === 'created'
      if (created) announce(principal, row.id, 1, 'conversation')
      return { conversation: conversationFromRow(row), created }
    },

    async patchConversation(principal, id, patch, ifMatch) {
      for (let attempt = 1; attempt <= patchAttempts; attempt += 1) {
        const old = await reader.conversationRow(principal, id)
        const { externalId, title, metadata } = patched(old, patch, metadataBytesMax)
        const row = await write<WrittenConversationRow>(
          conversationCalls.patch,
          [
            principal.tenant,
            id,
            old.selfVersion,
            ifMatch ?? null,
            externalId,
            title,
            metadata,
            lockTimeoutMs,
          ],
          ['patched', 'unchanged', 'stale'],
          // Another writer's change may come between the first call and its repetition.
          { isRepeatable: false },
        )
        if (row.outcome !== 'stale') {
          if (row.outcome === 'patched') announce(principal, id, row.version, 'conversation')
          return conversationFromRow(row)
        }
        await new Promise((resolve) => setTimeout(resolve, Math.random() * attempt * patchPauseMs))
      }
      throw new Problem('conversation-busy', 'Other writers keep changing the conversation.')
    },

    async eraseConversation(principal, id) {
      const { outcome, version, erasedAt, messages, segments } = await write<ErasedRow>(
        conversationCalls.erase,
        [principal.tenant, id, printTime(now()), lockTimeoutMs],
        ['erased', 'existing'],
        { isRepeatable: true, deadlineMs: erasureDeadlineMs },
      )
      if (outcome === 'erased') announce(principal, id, version, 'erased')
      return {
        conversationId: id,
        erasedAt: timeFromPostgres(erasedAt),
        version,
        cursor: encodeCursor(id, version),
        messages,
        segments,
      }
    },
  }
}

/** The columns of a conversation after a patch, with metadata as JSON. */
function patched(old: ConversationRow, patch: ConversationPatch, metadataBytesMax: number) {
  const merged =
    patch.metadata === undefined ? old.metadata : mergePatch(old.metadata, patch.metadata)
  const metadata = jsonOf(merged)
  if (patch.metadata !== undefined && storedBytes(metadata ?? '') > metadataBytesMax)
    throw violationProblem([
      {
        code: 'json-too-large',
        in: 'body',
        pointer: '/metadata',
        message: `is more than ${metadataBytesMax} bytes once merged`,
      },
    ])
  return {
    externalId: patch.externalId === undefined ? old.externalId : patch.externalId,
    title: patch.title === undefined ? old.title : patch.title,
    metadata,
  }
}

const jsonOf = (value: unknown): string | null =>
  value === undefined || value === null ? null : JSON.stringify(value)
