/** The writes and their after-commit effects. Each write is one autocommitted call. */
import { Buffer } from 'node:buffer'
import type { Events } from '../events.ts'
import type { Database, Param } from '../ports/database.ts'
import { Problem, type ProblemCode } from '../problem.ts'
import { createCommitter, type WriteBounds } from './commit.ts'
import { type Commit, type Effect, runEffects } from './effects.ts'
import { ask } from './failure.ts'
import { canonicalId, encodeCursor, newId } from './ids.ts'
import { mergePatch } from './merge-patch.ts'
import type { Principal } from './principal.ts'
import type { Reader } from './reader.ts'
import { type MessageRow, messageFromRow, messageList } from './rows.ts'
import { now, printTime, timeFromPostgres } from './time.ts'
import { messagesOf, prepareTurn, requestHash } from './turn.ts'
import type * as wire from './wire.ts'

/**
 * Bodies have been through the decoder. Every write fails with `conversation-not-found`,
 * `conversation-erased`, `conversation-busy`, `database-unavailable` (nothing was written) or
 * `outcome-unknown` (it may have been), and with what is said beside it.
 */
export type Store = AsyncDisposable & {
  /** Fails with `conversation-taken` or `external-id-taken`; the same body again is no failure. */
  createConversation(
    principal: Principal,
    body: wire.NewConversation,
  ): Promise<{ conversation: wire.Conversation; created: boolean }>
  /** Fails with `version-mismatch` where `ifMatch` is not the version, and `external-id-taken`. */
  patchConversation(
    principal: Principal,
    id: string,
    patch: wire.ConversationPatch,
    ifMatch?: number,
  ): Promise<wire.Conversation>
  /** Repeatable: answers the first erasure's receipt again. */
  eraseConversation(principal: Principal, id: string): Promise<wire.ErasureReceipt>
  /**
   * Records a human message and its answer, or an AI message alone. Null where the answer has no
   * parts: nothing is written, and the key stays free. Fails with `idempotency-conflict`,
   * `segment-not-found`, `id-taken` or `overloaded`.
   */
  recordTurn(
    principal: Principal,
    id: string,
    turn: wire.NewTurn,
    key?: string,
  ): Promise<wire.RecordedTurn | null>
  /** Records an AI message alone; answers its id. */
  recordAiTurn(principal: Principal, id: string, responses: string[]): Promise<string | null>
  createSegment(
    principal: Principal,
    id: string,
    body: wire.NewSegment,
  ): Promise<{ segment: wire.Segment; created: boolean }>
  /**
   * Attaches audio to the AI message named, or to the latest. Null where there is nothing to attach,
   * or no AI message yet. Fails with `message-not-found`, `message-not-ai`, `part-out-of-range` or
   * `segment-not-found`.
   */
  attachTts(
    principal: Principal,
    id: string,
    messageId: string | undefined,
    body: wire.Attach,
  ): Promise<wire.AttachedAudio | null>
}

export type StoreOptions = {
  readonly database: Database
  readonly reader: Reader
  readonly effects: readonly Effect[]
  readonly events: Events
  readonly writes: WriteBounds
  /** Bound on metadata after a patch was merged into it. */
  readonly metadataBytesMax: number
  readonly lockTimeoutMs: number
  /** How long a write may wait for its place in a batch. */
  readonly waitMs: number
}

/** An erasure deletes rows without end, so it gets more time than other writes. */
const erasureDeadlineMs = 60_000

/** A patch computed from a row that somebody changed meanwhile is computed again. */
const patchAttempts = 5

const calls = {
  create: `SELECT outcome, id FROM turnlog_create_v1(
    $1, $2::uuid, $3::boolean, $4, $5, $6::text::jsonb, $7, $8::text::timestamptz, $9::integer)`,
  patch: `SELECT outcome, version FROM turnlog_patch_v1(
    $1, $2::uuid, $3::bigint, $4::bigint, $5, $6, $7::text::jsonb, $8::integer)`,
  segment: `SELECT outcome, version FROM turnlog_segment_v1(
    $1, $2::uuid, $3::uuid, $4::text::timestamptz, $5::integer)`,
  attach: `SELECT a.outcome, a.version AS "at", a.parts AS "partCount", ${messageList('(a.message)')}
    FROM turnlog_attach_v1($1, $2::uuid, $3::uuid, $4::text[], $5::integer, $6, $7::uuid, $8::boolean,
      $9::text::timestamptz, $10::integer) a`,
  erase: `SELECT outcome, version, erased_at AS "erasedAt", messages, segments
    FROM turnlog_erase_v1($1, $2::uuid, $3::text::timestamptz, $4::integer)`,
}

export function createStore(options: StoreOptions): Store {
  const { database, reader, effects, events, lockTimeoutMs } = options
  const committer = createCommitter({ ...options, bounds: options.writes })

  /** One write: its row, where the outcome is one of those named; else its problem. */
  const write = async <Row extends { outcome: string }>(
    text: string,
    params: readonly Param[],
    good: readonly string[],
    deadlineMs?: number,
  ): Promise<Row> => {
    const [row] = await ask<Row>(
      database,
      'write',
      { text, params },
      deadlineMs === undefined ? {} : { deadlineMs },
    )
    if (row === undefined) throw new Error('a write answered no row')
    if (!good.includes(row.outcome)) throw new Problem(row.outcome as ProblemCode)
    return row
  }

  const announce = (
    principal: Principal,
    conversationId: string,
    version: number,
    touched: Commit['touched'],
    messages: readonly wire.Message[] = [],
  ) =>
    runEffects(effects, events, {
      tenant: principal.tenant,
      conversationId,
      from: version - 1,
      version,
      messages,
      touched,
    })

  const store: Store = {
    async createConversation(principal, body) {
      const { outcome, id } = await write<{ outcome: string; id: string }>(
        calls.create,
        [
          principal.tenant,
          canonicalId(body.id ?? newId()),
          body.id !== undefined,
          body.externalId ?? null,
          body.title ?? null,
          jsonOf(body.metadata),
          requestHash(body),
          printTime(now()),
          lockTimeoutMs,
        ],
        ['created', 'existing'],
      )
      const created = outcome === 'created'
      if (created) announce(principal, id, 1, 'conversation')
      return { conversation: await reader.conversation(principal, id), created }
    },

    async patchConversation(principal, id, patch, ifMatch) {
      for (let attempt = 1; attempt <= patchAttempts; attempt += 1) {
        const old = await reader.conversationRow(principal, id)
        const externalId = patch.externalId === undefined ? old.externalId : patch.externalId
        const title = patch.title === undefined ? old.title : patch.title
        const metadata =
          patch.metadata === undefined ? old.metadata : mergePatch(old.metadata, patch.metadata)
        const metadataText = jsonOf(metadata)
        if (Buffer.byteLength(metadataText ?? '') > options.metadataBytesMax)
          throw Problem.of([
            {
              code: 'json-too-large',
              in: 'body',
              pointer: '/metadata',
              message: `is more than ${options.metadataBytesMax} bytes once merged`,
            },
          ])
        const { outcome, version } = await write<{ outcome: string; version: number }>(
          calls.patch,
          [
            principal.tenant,
            id,
            old.selfVersion,
            ifMatch ?? null,
            externalId,
            title,
            metadataText,
            lockTimeoutMs,
          ],
          ['patched', 'unchanged', 'stale'],
        )
        if (outcome === 'stale') continue
        if (outcome === 'patched') announce(principal, id, version, 'conversation')
        return reader.conversation(principal, id)
      }
      throw new Problem('conversation-busy')
    },

    async eraseConversation(principal, id) {
      type Row = {
        outcome: string
        version: number
        erasedAt: string
        messages: number
        segments: number
      }
      const { outcome, version, erasedAt, messages, segments } = await write<Row>(
        calls.erase,
        [principal.tenant, id, printTime(now()), lockTimeoutMs],
        ['erased', 'existing'],
        erasureDeadlineMs,
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

    async recordTurn(principal, id, turn, key) {
      if (turn.assistant.responses.length === 0) {
        await reader.head(principal, id)
        return null
      }
      const prepared = prepareTurn(principal, id, turn, key)
      const { version, seq, head, replayOf } = await committer.submit(prepared)
      const messages =
        replayOf === null
          ? messagesOf(prepared, version, seq)
          : await reader.turn(principal, id, replayOf)
      const assistant = messages.at(-1)
      // Erased between the replay's answer and the reading of its messages.
      if (assistant === undefined) throw new Problem('conversation-erased')
      return {
        humanMessageId: messages.find(({ role }) => role === 'human')?.id ?? null,
        assistantMessageId: assistant.id,
        version,
        cursor: encodeCursor(id, head),
        messages,
        replayed: replayOf !== null,
      }
    },

    async recordAiTurn(principal, id, responses) {
      const recorded = await store.recordTurn(principal, id, { assistant: { responses } })
      return recorded?.assistantMessageId ?? null
    },

    async createSegment(principal, id, body) {
      const segmentId = canonicalId(body.id ?? newId())
      const { outcome, version } = await write<{ outcome: string; version: number }>(
        calls.segment,
        [principal.tenant, id, segmentId, printTime(now()), lockTimeoutMs],
        ['created', 'existing'],
      )
      const created = outcome === 'created'
      if (created) announce(principal, id, version, 'segments')
      return { segment: await reader.segment(principal, id, segmentId), created }
    },

    async attachTts(principal, id, messageId, body) {
      const all = 'ttsAudioUrls' in body ? body.ttsAudioUrls : null
      if (all?.every((url) => url === null)) {
        await reader.head(principal, id)
        return null
      }
      type Row = MessageRow & { outcome: string; at: number; partCount: number }
      const row = await write<Row>(
        calls.attach,
        [
          principal.tenant,
          id,
          messageId ?? null,
          all,
          'part' in body ? body.part : null,
          'ttsAudioUrl' in body ? body.ttsAudioUrl : null,
          body.segmentId ?? null,
          body.updateSegment ?? true,
          printTime(now()),
          lockTimeoutMs,
        ],
        ['attached', 'unchanged', 'nothing', 'part-out-of-range'],
      )
      if (row.outcome === 'nothing') return null
      if (row.outcome === 'part-out-of-range')
        throw Problem.of([
          {
            code: 'part-out-of-range',
            in: 'body',
            pointer: '/part',
            message: `the message has ${row.partCount} parts, counted from 0`,
          },
        ])
      const message = messageFromRow(id, row)
      if (row.outcome === 'attached')
        announce(
          principal,
          id,
          row.at,
          body.segmentId === undefined ? 'messages' : 'segments',
          message.version === row.at ? [message] : [],
        )
      return { messageId: message.id, version: row.at, cursor: encodeCursor(id, row.at), message }
    },

    [Symbol.asyncDispose]: () => committer.drained(),
  }
  return store
}

const jsonOf = (value: unknown): string | null =>
  value === undefined || value === null ? null : JSON.stringify(value)
