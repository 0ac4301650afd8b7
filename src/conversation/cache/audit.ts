/** The audit compares the cache with the database, by version and by a hash of the messages. */
import { createHash } from 'node:crypto'
import type { Database, Param } from '../../ports/database.ts'
import { Problem } from '../../problem.ts'
import type { Reader } from '../reading/reader.ts'
import { ask } from '../sql/database-problems.ts'
import type { Principal } from '../wire/principal.ts'
import type { CacheEntries } from './entries.ts'
import { isRefusal } from './kv-refusal.ts'
import { type Window, windowBounds, windowOf } from './window.ts'

/**
 * - `equal`: the same version and the same bytes.
 * - `absent`: the cache has no window of the conversation.
 * - `behind`: the window is older, because the cache missed a commit. Strong reads notice.
 * - `ahead`: the window has a version that the database does not have.
 * - `different`: the same version, but other bytes.
 * - `erased`: the cache has messages of an erased conversation.
 * - `unreadable`: the KV refused the read, for example because another program wrote to the key.
 */
export const findings = [
  'equal',
  'absent',
  'behind',
  'ahead',
  'different',
  'erased',
  'unreadable',
] as const
export type Finding = (typeof findings)[number]

/** `reason` is the KV's refusal, if the finding is `unreadable`. */
export type AuditResult = { readonly finding: Finding; readonly reason?: string }

export type Audit = {
  /**
   * The ids of conversations, erased ones included: the `limit` last active ones, by default all.
   */
  conversations(principal: Principal, limit: number | undefined): AsyncIterable<string>
  /** Compares one conversation. Fails with a `database-` code, or with a failure of the KV. */
  inspect(principal: Principal, id: string): Promise<AuditResult>
  /**
   * Deletes a window, so that the next read makes a new one. Returns false if another writer was
   * faster, or if the value there is another program's.
   */
  repair(principal: Principal, id: string): Promise<boolean>
}

export type AuditOptions = { readonly limit: number | undefined; readonly repair: boolean }

export type AuditReport = {
  readonly counts: Readonly<Record<Finding, number>>
  /** The conversations that are neither equal nor absent. */
  readonly odd: readonly ({ readonly id: string } & AuditResult)[]
  readonly repaired: number
}

/** Compares many conversations, and with `repair` deletes the windows that differ. */
export async function report(
  audit: Audit,
  principal: Principal,
  { limit, repair }: AuditOptions,
): Promise<AuditReport> {
  const counts = Object.fromEntries(findings.map((name) => [name, 0])) as Record<Finding, number>
  const odd: ({ id: string } & AuditResult)[] = []
  let repaired = 0
  for await (const id of audit.conversations(principal, limit)) {
    const result = await audit.inspect(principal, id)
    counts[result.finding] += 1
    if (!isOdd(result.finding)) continue
    odd.push({ id, ...result })
    if (repair && (await audit.repair(principal, id))) repaired += 1
  }
  return { counts, odd, repaired }
}

const isOdd = (finding: Finding) => finding !== 'equal' && finding !== 'absent'

/** Returns the KV's refusal as text; throws any other failure again. */
function refusalOf(thrown: unknown): string {
  if (isRefusal(thrown) && thrown instanceof Error) return thrown.message
  throw thrown
}

/** A conversation that seems to differ is compared again: a write of the cache may be in flight. */
const attemptsMax = 3
const pauseMs = 50

/** The number of conversations that one statement fetches. */
const batchMax = 1000

export const auditStatements = {
  newest: `SELECT c.id FROM conversations c WHERE c.tenant = $1
    ORDER BY greatest(c.last_message_at, c.created_at, c.erased_at) DESC LIMIT $2::integer`,
  all: `SELECT c.id FROM conversations c WHERE c.tenant = $1 AND c.id > $2::uuid
    ORDER BY c.id LIMIT ${batchMax}`,
}

export type AuditedRow = { id: string }

/** Makes an audit of the cache whose entries are in `entries`. */
export function createAudit(entries: CacheEntries, reader: Reader, database: Database): Audit {
  const idsOf = async (text: string, params: readonly Param[]) =>
    (await ask<AuditedRow>(database, 'read', { text, params })).map(({ id }) => id)

  const compare = async (principal: Principal, id: string): Promise<Finding> => {
    // Read the cache first: the database, read later, then has every commit that the cache has.
    const window = await entries.peek(principal.tenant, id)
    if (window === undefined) return 'absent'
    const stored = await storedWindow(principal, id)
    if (stored === undefined) return window.texts.length === 0 ? 'absent' : 'erased'
    if (window.version !== stored.version)
      return window.version < stored.version ? 'behind' : 'ahead'
    const isSame = hashOf(window, window.from) === hashOf(stored, window.from)
    return isSame && window.to === stored.to ? 'equal' : 'different'
  }

  const storedWindow = async (principal: Principal, id: string): Promise<Window | undefined> => {
    try {
      const limit = windowBounds.messages
      const { version, lastSeq, messages } = await reader.newest(principal, id, { limit })
      return windowOf(version, lastSeq, messages)
    } catch (thrown) {
      const isGone =
        thrown instanceof Problem &&
        (thrown.code === 'conversation-erased' || thrown.code === 'conversation-not-found')
      if (isGone) return undefined
      throw thrown
    }
  }

  return {
    async *conversations({ tenant }, limit) {
      if (limit !== undefined) {
        yield* await idsOf(auditStatements.newest, [tenant, limit])
        return
      }
      for (let last: string | undefined = '00000000-0000-0000-0000-000000000000'; last; ) {
        const ids: string[] = await idsOf(auditStatements.all, [tenant, last])
        yield* ids
        last = ids.length === batchMax ? ids.at(-1) : undefined
      }
    },

    async inspect(principal, id) {
      try {
        let finding = await compare(principal, id)
        for (let attempt = 1; attempt < attemptsMax && isOdd(finding); attempt += 1) {
          await new Promise((resolve) => setTimeout(resolve, pauseMs))
          finding = await compare(principal, id)
        }
        return { finding }
      } catch (thrown) {
        return { finding: 'unreadable', reason: refusalOf(thrown) }
      }
    },

    async repair(principal, id) {
      try {
        return await entries.forget(principal.tenant, id)
      } catch (thrown) {
        refusalOf(thrown)
        return false
      }
    },
  }
}

/** Returns the SHA-256 of the messages from seq `since` on, each with its length before it. */
function hashOf({ from, texts }: Window, since: number): string {
  const hash = createHash('sha256')
  for (const text of texts.slice(Math.max(0, since - from)))
    hash.update(`${text.byteLength}:`).update(text)
  return hash.digest('hex')
}
