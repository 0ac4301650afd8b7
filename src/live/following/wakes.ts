/**
 * The messages that nodes send each other through the KV: hints, which announce a new version of a
 * conversation, and interim texts. All of them may be lost.
 */
import { kvKeys } from '../../conversation/wire/kv-keys.ts'
import type { Principal } from '../../conversation/wire/principal.ts'
import type { Kv, KvEntryMaybe } from '../../ports/kv.ts'
import { partialCharactersMax } from '../protocol/frame-fields.ts'
import { type Partial, partialMs, type Role } from './partials.ts'

export type SharedKv = {
  readonly kv: Kv
  /** Whether hints of other nodes can arrive now. */
  hintsArrive(): boolean
}

/** An interim text with the id of the node that sent it. */
export type SentPartial = Partial & { readonly node: string }

/** A conversation that this node follows, as the receiver of messages from other nodes. */
export type Watched = {
  readonly principal: Pick<Principal, 'tenant'>
  readonly conversationId: string
  hint(version: number): void
  peerPartial(partial: SentPartial): void
}

const roles: readonly Role[] = ['human', 'ai']

/** Writes an interim text to the KV. Other nodes watch its key there. */
export async function publishPartial(
  kv: Kv,
  tenant: string,
  conversationId: string,
  { role, text, after, node }: SentPartial,
): Promise<void> {
  const key = kvKeys.partial(tenant, conversationId, role)
  await kv.set(key, { text, after, node }, { expireIn: partialMs })
}

/** Milliseconds after which a failed watch is opened again. */
const reopenMs = 1000

/**
 * Watch follows the KV keys of one conversation. It keeps little state, because a node may have
 * thousands of watches.
 */
export class Watch {
  readonly #kv: Kv
  readonly #watched: Watched
  #reader: ReadableStreamDefaultReader<KvEntryMaybe<unknown>[]> | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #isOver = false

  constructor(kv: Kv, watched: Watched, failed: (error: unknown) => void) {
    this.#kv = kv
    this.#watched = watched
    void this.#run(failed)
  }

  stop(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#reader?.cancel().catch(() => {})
  }

  async #run(failed: (error: unknown) => void): Promise<void> {
    const { principal, conversationId } = this.#watched
    const { tenant } = principal
    // The history cache writes the head after each commit, so each of its changes is a hint.
    const keys = [
      kvKeys.head(tenant, conversationId),
      ...roles.map((role) => kvKeys.partial(tenant, conversationId, role)),
    ]
    let shown: readonly (string | null)[] = []
    try {
      this.#reader = this.#kv.watch<unknown[]>(keys).getReader()
      while (!this.#isOver) {
        const { done, value } = await this.#reader.read()
        if (done) break
        this.#take(value, shown)
        shown = value.map(({ versionstamp }) => versionstamp)
      }
    } catch (error) {
      if (this.#isOver) return
      failed(error)
    }
    if (!this.#isOver) this.#timer = setTimeout(() => void this.#run(failed), reopenMs)
  }

  #take(entries: readonly KvEntryMaybe<unknown>[], shown: readonly (string | null)[]): void {
    for (const [index, { value, versionstamp }] of entries.entries()) {
      if (versionstamp === null || shown[index] === versionstamp) continue
      const role = roles[index - 1]
      if (role === undefined) {
        const version = versionOf(value)
        if (version !== undefined) this.#watched.hint(version)
      } else {
        const partial = partialOf(role, value)
        if (partial !== undefined) this.#watched.peerPartial(partial)
      }
    }
  }
}

/** The version in the KV's head of a conversation. */
function versionOf(value: unknown): number | undefined {
  if (typeof value !== 'object' || value === null || !('version' in value)) return undefined
  const { version } = value
  return typeof version === 'number' && Number.isSafeInteger(version) ? version : undefined
}

/**
 * The interim text in a KV value. Undefined for a value in an unknown form, as another release may
 * write it.
 */
function partialOf(role: Role, value: unknown): SentPartial | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if (!('text' in value && 'after' in value && 'node' in value)) return undefined
  const { text, after, node } = value
  const isWhole =
    typeof text === 'string' &&
    text.length <= partialCharactersMax &&
    typeof after === 'number' &&
    typeof node === 'string'
  return isWhole ? { role, text, after, node } : undefined
}
