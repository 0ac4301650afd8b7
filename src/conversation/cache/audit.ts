/** The cache held against the database: by version, and by a hash of what was said. */
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
 * - `equal`: the same version, the same bytes.
 * - `absent`: nothing is cached, or no window of it.
 * - `behind`: an older version: a commit that the cache missed. A strong read sees that.
 * - `ahead`: a version that the database does not have.
 * - `different`: the same version, other bytes.
 * - `erased`: messages of a conversation that was erased.
 * - `unreadable`: the KV refused to read it, as where another program has written under its key.
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

/** `reason`: what the KV answered in place of what was `unreadable`. */
export type Look = { readonly finding: Finding; readonly reason?: string }

export type Audit = {
  /** Conversations, erased ones too: the newest `limit` by their last activity, or all. */
  conversations(principal: Principal, limit: number | undefined): AsyncIterable<string>
  /** Fails with a `database-` code, and with what the KV fails with. */
  look(principal: Principal, id: string): Promise<Look>
  /**
   * Takes a window away, so that the next read makes one; false where others were faster, or where
   * what is there is not ours to take.
   */
  repair(principal: Principal, id: string): Promise<boolean>
}

export type AuditOptions = { readonly limit: number | undefined; readonly repair: boolean }

export type AuditReport = {
  readonly counts: Readonly<Record<Finding, number>>
  /** Those that are neither equal nor absent. */
  readonly odd: readonly ({ readonly id: string } & Look)[]
  readonly repaired: number
}

/** Looks at many, and takes away what is odd where that is wanted. */
export async function report(
  audit: Audit,
  principal: Principal,
  { limit, repair }: AuditOptions,
): Promise<AuditReport> {
  const counts = Object.fromEntries(findings.map((name) => [name, 0])) as Record<Finding, number>
  const odd: ({ id: string } & Look)[] = []
  let repaired = 0
  for await (const id of audit.conversations(principal, limit)) {
    const look = await audit.look(principal, id)
    counts[look.finding] += 1
    if (!isOdd(look.finding)) continue
    odd.push({ id, ...look })
    if (repair && (await audit.repair(principal, id))) repaired += 1
  }
  return { counts, odd, repaired }
}

const isOdd = (finding: Finding) => finding !== 'equal' && finding !== 'absent'

/** What the KV refused; whatever else failed is thrown on. */
function refusalOf(thrown: unknown): string {
  if (isRefusal(thrown) && thrown instanceof Error) return thrown.message
  throw thrown
}

/** Looks again as often where the two differ: an apply may be on its way. */
const looks = 3
const pauseMs = 50

/** Conversations fetched at a time. */
const batch = 1000

export const auditStatements = {
  newest: `SELECT c.id FROM conversations c WHERE c.tenant = $1
    ORDER BY greatest(c.last_message_at, c.created_at, c.erased_at) DESC LIMIT $2::integer`,
  all: `SELECT c.id FROM conversations c WHERE c.tenant = $1 AND c.id > $2::uuid
    ORDER BY c.id LIMIT ${batch}`,
}

export type AuditedRow = { id: string }

export function createAudit(entries: CacheEntries, reader: Reader, database: Database): Audit {
  const idsOf = async (text: string, params: readonly Param[]) =>
    (await ask<AuditedRow>(database, 'read', { text, params })).map(({ id }) => id)

  const once = async (principal: Principal, id: string): Promise<Finding> => {
    // The cache first: whatever the database has then, it had all that the cache has.
    const window = await entries.peek(principal.tenant, id)
    if (window === undefined) return 'absent'
    const stored = await newest(principal, id)
    if (stored === undefined) return window.texts.length === 0 ? 'absent' : 'erased'
    if (window.version !== stored.version)
      return window.version < stored.version ? 'behind' : 'ahead'
    const isSame = hashOf(window, window.from) === hashOf(stored, window.from)
    return isSame && window.to === stored.to ? 'equal' : 'different'
  }

  const newest = async (principal: Principal, id: string): Promise<Window | undefined> => {
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
        last = ids.length === batch ? ids.at(-1) : undefined
      }
    },

    async look(principal, id) {
      try {
        let finding = await once(principal, id)
        for (let look = 1; look < looks && isOdd(finding); look += 1) {
          await new Promise((resolve) => setTimeout(resolve, pauseMs))
          finding = await once(principal, id)
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

/** SHA-256 over the messages from a seq on, each with its length before it. */
function hashOf({ from, texts }: Window, since: number): string {
  const hash = createHash('sha256')
  for (const text of texts.slice(Math.max(0, since - from)))
    hash.update(`${text.byteLength}:`).update(text)
  return hash.digest('hex')
}
