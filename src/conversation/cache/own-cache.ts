/**
 * The history cache where it is memory of this process alone: the rule of `cache-rule.ts` on windows as
 * they are, with no keys, values or calls between. Nothing here waits for anything.
 */
import type { Events } from '../../events.ts'
import type { Commit } from '../writing/effects.ts'
import type { Cache } from './cache.ts'
import { nameOf } from './cache-writer.ts'
import type { Seen } from './entries.ts'
import { appliedOf, stayMs, stubOf, windowAfter } from './rule.ts'
import { memoryOf, type Window } from './window.ts'

/** A conversation that somebody reads: its window, or a stub, whose version is a floor. */
type Held = {
  readonly version: number
  readonly window: Window | undefined
  /** Never the same again: who fills names the one that was there before its snapshot. */
  readonly stamp: number
  readonly bytes: number
  readonly dueAt: number
}

/** What a stub costs, roughly. */
const stubBytes = 1000

export function createOwnCache(options: {
  readonly events: Events
  readonly ttlSeconds: number
  /** Past both together, the conversation that nobody asked for longest goes first. */
  readonly memoryBytesMax: number
  readonly readyBytesMax: number
}): Cache {
  const { events } = options
  const bytesMax = options.memoryBytesMax + options.readyBytesMax
  const ttlMs = options.ttlSeconds * 1000
  /** The one touched last stands last. */
  const all = new Map<string, Held>()
  let bytes = 0
  let stamps = 0

  const drop = (name: string) => {
    bytes -= all.get(name)?.bytes ?? 0
    all.delete(name)
  }
  const find = (name: string): Held | undefined => {
    const held = all.get(name)
    if (held === undefined || performance.now() < held.dueAt) return held
    drop(name)
    return undefined
  }
  /** `stamp`: of the stub that this one follows. */
  const put = (name: string, version: number, window?: Window, stamp = ++stamps): Held => {
    const size = window && memoryOf(window)
    // What is too much by itself would drive everything else out.
    if (size !== undefined && size > bytesMax) return put(name, version, undefined, stamp)
    drop(name)
    const now = performance.now()
    const dueAt = now + stayMs(window !== undefined, ttlMs)
    const held = { version, window, stamp, bytes: size ?? stubBytes, dueAt }
    all.set(name, held)
    bytes += held.bytes
    for (const [oldest, other] of all) {
      if (bytes <= bytesMax && now < other.dueAt) break
      drop(oldest)
    }
    return held
  }
  const touch = (name: string, held: Held) => {
    all.delete(name)
    all.set(name, held)
  }

  const committed = (name: string, held: Held, commit: Commit) => {
    if (held.version >= commit.version) return
    const { window, stamp } = held
    // A stub stays the same: whoever fills it must reach its version, so a commit between is no harm.
    if (window === undefined) put(name, commit.version, undefined, stamp)
    else put(name, commit.version, windowAfter(window, appliedOf(commit)))
  }

  const erase = (name: string, version: number) => {
    put(name, Math.max(version, find(name)?.version ?? 0))
  }

  return {
    effect: {
      name: 'cache',
      committed(commit) {
        const { tenant, conversationId, version, touched } = commit
        const name = nameOf(tenant, conversationId)
        const held = find(name)
        if (touched === 'erased') erase(name, version)
        // Who reads it leaves a stub before the snapshot: without one, nobody is to be told.
        else if (held !== undefined) committed(name, held, commit)
      },
    },

    ready(tenant, id) {
      const name = nameOf(tenant, id)
      const held = find(name)
      if (held?.window === undefined) return undefined
      touch(name, held)
      return { window: held.window, isStored: true }
    },

    isWriting: () => false,

    version(tenant, id) {
      return Promise.resolve(find(nameOf(tenant, id))?.window?.version ?? 0)
    },

    read(tenant, id) {
      const name = nameOf(tenant, id)
      const held = find(name) ?? put(name, 0)
      touch(name, held)
      const seen = seenOf(held)
      return Promise.resolve(
        held.window === undefined
          ? { kind: 'miss', seen }
          : { kind: 'window', window: held.window, seen },
      )
    },

    forget: (tenant, id) => drop(nameOf(tenant, id)),

    fill(tenant, id, seen, snapshot) {
      const name = nameOf(tenant, id)
      const held = find(name)
      const isTheSame = held !== undefined && seenOf(held).versionstamp === seen.versionstamp
      if (isTheSame && snapshot.version >= held.version) put(name, snapshot.version, snapshot)
      return Promise.resolve()
    },

    distrust(tenant, id, version) {
      events.cacheAhead(id, version)
      drop(nameOf(tenant, id))
      return Promise.resolve()
    },

    erase(tenant, id, version) {
      erase(nameOf(tenant, id), version)
      return Promise.resolve(true)
    },

    takesWrites: () => true,

    // Nothing is under way, and what it keeps goes with it.
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
}

const seenOf = ({ version, stamp }: Held): Seen => ({
  head: stubOf(version),
  versionstamp: String(stamp),
})
