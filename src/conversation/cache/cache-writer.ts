/**
 * Brings the cache up to date after commits, off everybody's path: one apply per conversation at a
 * time, what comes meanwhile folded into the next. What could not be applied is remembered as dirty,
 * and marked as not full when the store is back.
 */

import { usableNow } from '../../mechanics/loop-delay.ts'
import { KvError } from '../../ports/kv.ts'
import type { CacheEntries, Seen } from './entries.ts'
import { type Applied, isFull } from './rule.ts'

export type CacheWriter = {
  /** Never throws, never waits. */
  committed(tenant: string, id: string, applied: Applied): void
  /** A head was seen, by a read or a fill: the next apply needs not ask for it. */
  saw(tenant: string, id: string, seen: Seen): void
  /** Leaves no message of it in the cache; false where that could not be had, which is remembered. */
  erase(tenant: string, id: string, version: number): Promise<boolean>
  /** Marks what is dirty; answers how many were refused. Rejects where the store is away. */
  heal(): Promise<number>
  /** Whether an apply of it waits or is on its way. */
  isWriting(tenant: string, id: string): boolean
  /** Resolves when nothing is under way. */
  drained(): Promise<void>
}

/** Conversations that wait for their apply; what is beyond is remembered as dirty. */
const waitingMax = 10_000
const waitingBytesMax = 33_554_432
/** Beyond these the oldest is forgotten: then its expiry bounds what readers of the cache alone see. */
const dirtyMax = 100_000
/** Heads remembered, so that an apply needs not ask for its own. */
const knownMax = 10_000
const healAtOnce = 16

type Line = { readonly tenant: string; readonly id: string; waiting: Applied | undefined }
type Dirty = { readonly tenant: string; readonly id: string; readonly version: number }

export function createCacheWriter(options: {
  readonly entries: CacheEntries
  /** The store has a window at this version. */
  onStored(tenant: string, id: string, version: number): void
  /** Whether the store may be asked. */
  isOpen(): boolean
  /** The store took this long. */
  onAnswer(ms: number): void
  onFailure(what: string, id: string, reason: unknown, askedAt: number): void
  /** Something waits for `heal`. */
  onDirty(): void
}): CacheWriter {
  const { entries } = options
  const lines = new Map<string, Line>()
  const dirty = new Map<string, Dirty>()
  const known = new Map<string, Seen>()
  const idle: (() => void)[] = []
  let bytes = 0

  const soil = (tenant: string, id: string, version: number) => {
    const name = nameOf(tenant, id)
    const before = dirty.get(name)?.version ?? 0
    dirty.delete(name)
    dirty.set(name, { tenant, id, version: Math.max(version, before) })
    const [oldest] = dirty
    if (dirty.size > dirtyMax && oldest !== undefined) dirty.delete(oldest[0])
    options.onDirty()
  }

  const know = (name: string, seen: Seen | undefined) => {
    known.delete(name)
    if (seen !== undefined) known.set(name, seen)
    const [oldest] = known
    if (known.size > knownMax && oldest !== undefined) known.delete(oldest[0])
  }

  const stored = (tenant: string, id: string, seen: Seen | undefined) => {
    if (seen !== undefined && isFull(seen.head)) options.onStored(tenant, id, seen.head.version)
  }

  /** Until nothing waits for this conversation. */
  const run = async (name: string, line: Line) => {
    for (let next = line.waiting; next !== undefined; next = line.waiting) {
      line.waiting = undefined
      bytes -= sizeOf(next)
      await apply(name, line, next)
    }
    lines.delete(name)
    if (lines.size === 0) for (const resolve of idle.splice(0)) resolve()
  }

  const apply = async (name: string, { tenant, id }: Line, applied: Applied) => {
    if (!options.isOpen()) return soil(tenant, id, applied.version)
    const askedAt = usableNow()
    try {
      const done = await entries.apply(tenant, id, applied, known.get(name))
      options.onAnswer(usableNow() - askedAt)
      know(name, done?.seen)
      stored(tenant, id, done?.seen)
      const version = Math.max(applied.version, done?.seen?.head.version ?? 0)
      if (done === undefined) soil(tenant, id, applied.version)
      else if ((dirty.get(name)?.version ?? 0) <= version) dirty.delete(name)
    } catch (thrown) {
      // It may have happened, or may yet: whatever is there then is no longer known here.
      know(name, undefined)
      soil(tenant, id, applied.version)
      options.onFailure('apply', id, thrown, askedAt)
    }
  }

  return {
    committed(tenant, id, applied) {
      const name = nameOf(tenant, id)
      const line = lines.get(name)
      const isTooMuch = lines.size >= waitingMax || bytes + sizeOf(applied) > waitingBytesMax
      if (isTooMuch || !options.isOpen()) {
        // What waits of it must not go on as if this had not been.
        if (line?.waiting !== undefined) {
          bytes -= sizeOf(line.waiting)
          line.waiting = undefined
        }
        soil(tenant, id, applied.version)
        return
      }
      const before = line?.waiting
      const waiting = before === undefined ? applied : folded(before, applied)
      // Two as one are less than their sum: what is counted now is what `run` takes away.
      bytes += sizeOf(waiting) - (before === undefined ? 0 : sizeOf(before))
      if (line === undefined) {
        const started = { tenant, id, waiting }
        lines.set(name, started)
        void run(name, started)
      } else line.waiting = waiting
    },

    saw(tenant, id, seen) {
      const name = nameOf(tenant, id)
      const before = known.get(name)?.versionstamp ?? ''
      if (before < seen.versionstamp) know(name, seen)
      stored(tenant, id, seen)
    },

    async erase(tenant, id, version) {
      know(nameOf(tenant, id), undefined)
      const askedAt = usableNow()
      try {
        const done = options.isOpen() && (await entries.erase(tenant, id, version))
        if (!done) soil(tenant, id, version)
        return done
      } catch (thrown) {
        soil(tenant, id, version)
        options.onFailure('erase', id, thrown, askedAt)
        return false
      }
    },

    async heal() {
      // Those of now: what comes back under its name waits for the next time.
      const due = [...dirty.values()].values()
      const lanes = Array.from({ length: healAtOnce }, async () => {
        for (const { tenant, id, version } of due) {
          dirty.delete(nameOf(tenant, id))
          try {
            const mark = { from: undefined, version, texts: new Map() }
            if ((await entries.apply(tenant, id, mark)) === undefined) soil(tenant, id, version)
          } catch (thrown) {
            soil(tenant, id, version)
            // What the store refuses of one conversation must not keep the others from it.
            if (!isRefusal(thrown) || refusesWrites(thrown)) throw thrown
          }
        }
      })
      const failed = (await Promise.allSettled(lanes)).find(({ status }) => status === 'rejected')
      if (failed?.status === 'rejected') throw failed.reason
      return dirty.size
    },

    isWriting: (tenant, id) => lines.has(nameOf(tenant, id)),

    drained() {
      if (lines.size === 0) return Promise.resolve()
      return new Promise((resolve) => idle.push(resolve))
    },
  }
}

/** The store answered, and would not: it is not away. */
export const isRefusal = (thrown: unknown): boolean =>
  thrown instanceof KvError && thrown.outcome === 'refused'

/** The KV would refuse any other write as well. */
export const refusesWrites = (thrown: unknown): boolean =>
  thrown instanceof KvError && thrown.refusesWrites

export const nameOf = (tenant: string, id: string): string => `${tenant}/${id}`

const sizeOf = ({ texts }: Applied): number => {
  let sum = 200
  for (const text of texts.values()) sum += text.byteLength
  return sum
}

/** Two commits as one; a gap between them makes it one that nobody knows. */
export function folded(first: Applied, second: Applied): Applied {
  if (second.version <= first.version) return { ...first, from: undefined }
  if (first.version !== second.from) return { ...second, from: undefined }
  return {
    from: first.from,
    version: second.version,
    texts: new Map([...first.texts, ...second.texts]),
  }
}
