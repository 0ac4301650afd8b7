/**
 * What other nodes tell through the key-value store: that a conversation has moved on, and what is
 * being said. All of it may be lost.
 */
import type { Kv, KvEntryMaybe, KvKey } from '../../ports/kv.ts'
import { partialCharactersMax } from '../protocol/protocol.ts'
import { type Partial, partialMs, type Role } from './partials.ts'

export type SharedKv = {
  readonly kv: Kv
  /** Whether changes by other nodes can be expected to be heard now. */
  heard(): boolean
}

/** `node`: who sent it. */
export type SentPartial = Partial & { readonly node: string }

/** Who is told of one conversation. */
export type Watched = {
  hint(version: number): void
  heard(partial: SentPartial): void
}

const roles: readonly Role[] = ['human', 'ai']

/** Written by the history cache alone. */
const headKey = (name: string): KvKey => ['history', name, true]

const partialKey = (name: string, role: Role): KvKey => ['live', name, role]

export async function publishPartial(
  kv: Kv,
  name: string,
  { role, text, after, node }: SentPartial,
): Promise<void> {
  await kv.set(partialKey(name, role), { text, after, node }, { expireIn: partialMs })
}

const reopenMs = 1000

/** There is one for each conversation that is followed here: it has as little as it can. */
export class Watch {
  readonly #kv: Kv
  readonly #name: string
  readonly #watched: Watched
  #reader: ReadableStreamDefaultReader<KvEntryMaybe<unknown>[]> | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #isOver = false

  /** `name` is `<tenant>/<conversation>`. */
  constructor(kv: Kv, name: string, watched: Watched, failed: (error: unknown) => void) {
    this.#kv = kv
    this.#name = name
    this.#watched = watched
    void this.#run(failed)
  }

  stop(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#reader?.cancel().catch(() => {})
  }

  async #run(failed: (error: unknown) => void): Promise<void> {
    const name = this.#name
    const keys = [headKey(name), ...roles.map((role) => partialKey(name, role))]
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
        if (partial !== undefined) this.#watched.heard(partial)
      }
    }
  }
}

function versionOf(value: unknown): number | undefined {
  if (typeof value !== 'object' || value === null || !('version' in value)) return undefined
  const { version } = value
  return typeof version === 'number' && Number.isSafeInteger(version) ? version : undefined
}

/** What another release wrote is no reason to fail. */
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
