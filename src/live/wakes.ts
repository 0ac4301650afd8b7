/**
 * What other nodes tell through the key-value store: that a conversation has moved on, and what is
 * being said. All of it may be lost.
 */
import type { Kv, KvEntryMaybe, KvKey } from '../ports/kv.ts'
import { type Partial, partialMs, type Role } from './partials.ts'
import { partialCharactersMax } from './protocol.ts'

export type SharedKv = {
  readonly kv: Kv
  /** Whether changes by other nodes can be expected to be heard now. */
  heard(): boolean
}

/** `node`: who sent it. */
export type SentPartial = Partial & { readonly node: string }

export type Wakes = {
  head(version: number): void
  partial(partial: SentPartial): void
  failed(error: unknown): void
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

/** `name` is `<tenant>/<conversation>`. Answers how to stop. */
export function watchConversation(kv: Kv, name: string, wakes: Wakes): () => void {
  const keys = [headKey(name), ...roles.map((role) => partialKey(name, role))]
  let isOver = false
  let reader: ReadableStreamDefaultReader<KvEntryMaybe<unknown>[]> | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  const shown = new Map<number, string | null>()

  const take = (entries: readonly KvEntryMaybe<unknown>[]) => {
    for (const [index, { value, versionstamp }] of entries.entries()) {
      if (versionstamp === null || shown.get(index) === versionstamp) continue
      shown.set(index, versionstamp)
      const role = roles[index - 1]
      if (role === undefined) {
        const version = versionOf(value)
        if (version !== undefined) wakes.head(version)
      } else {
        const partial = partialOf(role, value)
        if (partial !== undefined) wakes.partial(partial)
      }
    }
  }
  const run = async () => {
    try {
      reader = kv.watch<unknown[]>(keys).getReader()
      while (!isOver) {
        const { done, value } = await reader.read()
        if (done) break
        take(value)
      }
    } catch (error) {
      if (isOver) return
      wakes.failed(error)
    }
    if (!isOver) timer = setTimeout(() => void run(), reopenMs)
  }
  void run()
  return () => {
    isOver = true
    clearTimeout(timer)
    reader?.cancel().catch(() => {})
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
