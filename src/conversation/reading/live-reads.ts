/**
 * The reads of live delivery. They return states instead of failing: a follower gets a frame if its
 * conversation was erased, or if its cursor is ahead of it.
 */
import { Buffer } from 'node:buffer'
import type { Database } from '../../ports/database.ts'
import { ask } from '../sql/database-problems.ts'
import {
  type ConversationRow,
  conversationFromRow,
  conversationObject,
  type MessageRow,
  messageFromRow,
  messageObject,
} from '../sql/rows.ts'
import type { Principal } from '../wire/principal.ts'
import type { Conversation, Message, Segment, VoiceSession } from '../wire/schemas.ts'
import { type ChangeRow, changePage, changesStatement } from './changes.ts'

/**
 * Every row with `from < row.version <= version`, from one snapshot. `conversation` is set exactly
 * if `selfVersion`, the version that last changed the conversation's own row, is in that range.
 */
export type Slice = {
  readonly from: number
  readonly version: number
  readonly messages: readonly Message[]
  readonly segments: readonly Segment[]
  readonly voiceSessions: readonly VoiceSession[]
  readonly conversation?: Conversation
  readonly selfVersion?: number
}

export type ChangesRead =
  | { readonly state: 'missing' }
  | { readonly state: 'erased'; readonly conversation: Conversation }
  /** The conversation has not reached the version of the cursor. */
  | { readonly state: 'behind'; readonly head: number }
  | { readonly state: 'found'; readonly head: number; readonly slice: Slice }

/** A conversation and its newest messages in ascending `seq`. */
export type Snapshot = {
  readonly conversation: Conversation
  readonly messages: readonly Message[]
}

export type SnapshotRead =
  | { readonly state: 'missing' }
  | { readonly state: 'erased'; readonly conversation: Conversation }
  | { readonly state: 'found'; readonly snapshot: Snapshot }

/** Bounds of one page: rows and bytes. It holds at least one version, whatever its size. */
export type PageBounds = { readonly limit: number; readonly bytesMax: number }

/** Both fail with a `database-` code only. */
export type LiveReads = {
  /** Reads what changed after version `from`, up to the end of the page or the head. */
  changes(principal: Principal, id: string, from: number, page: PageBounds): Promise<ChangesRead>
  snapshot(principal: Principal, id: string, page: PageBounds): Promise<SnapshotRead>
}

export const snapshotStatement = `
  SELECT 'conversation' AS kind, ${conversationObject('c')} AS row
  FROM conversations c WHERE c.tenant = $1 AND c.id = $2::uuid
  UNION ALL
  (SELECT 'message', ${messageObject('m')} FROM conversation_messages m
   WHERE m.tenant = $1 AND m.conversation_id = $2::uuid ORDER BY m.seq DESC LIMIT $3::integer)`

export type SnapshotRow =
  | { kind: 'conversation'; row: ConversationRow }
  | { kind: 'message'; row: MessageRow }

/** Makes the reads of live delivery on a database. */
export function createLiveReads(database: Database): LiveReads {
  return {
    async changes({ tenant }, id, from, page) {
      const params = [tenant, id, from, page.limit]
      const rows = await ask<ChangeRow>(database, 'read', { text: changesStatement, params })
      const head = rows.find((row) => row.kind === 'conversation')?.row
      if (head === undefined) return { state: 'missing' }
      if (head.erasedAt !== null)
        return { state: 'erased', conversation: conversationFromRow(head) }
      if (from > head.version) return { state: 'behind', head: head.version }
      const { version, messages, conversation, ...rest } = changePage(id, from, rows, page)
      const { segments = [], voiceSessions = [] } = rest
      const own = conversation === undefined ? {} : { conversation, selfVersion: head.selfVersion }
      const slice = { from, version, messages, segments, voiceSessions, ...own }
      return { state: 'found', head: head.version, slice }
    },

    async snapshot({ tenant }, id, { limit, bytesMax }) {
      const statement = { text: snapshotStatement, params: [tenant, id, limit] }
      const rows = await ask<SnapshotRow>(database, 'read', statement)
      const head = rows.find((row) => row.kind === 'conversation')?.row
      if (head === undefined) return { state: 'missing' }
      const conversation = conversationFromRow(head)
      if (head.erasedAt !== null) return { state: 'erased', conversation }
      const newest = rows
        .flatMap((one) => (one.kind === 'message' ? [messageFromRow(id, one.row)] : []))
        .sort((one, other) => other.seq - one.seq)
      const messages = newest.slice(0, fitting(newest, bytesMax)).reverse()
      return { state: 'found', snapshot: { conversation, messages } }
    },
  }
}

/** How many of the messages, newest first, fit into `bytesMax` bytes; at least one. */
function fitting(messages: readonly Message[], bytesMax: number): number {
  let bytes = 0
  for (const [index, message] of messages.entries()) {
    bytes += Buffer.byteLength(JSON.stringify(message))
    if (bytes > bytesMax && index > 0) return index
  }
  return messages.length
}
