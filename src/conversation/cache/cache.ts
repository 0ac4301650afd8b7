/**
 * The history cache: best effort, never wrong, in nobody's way. Nothing here throws at a caller, and
 * a read takes `deadlineMs` at most before the database is asked instead.
 */
import type { Events } from '../../events.ts'
import { usableNow } from '../../mechanics/loop-delay.ts'
import { createRounds } from '../../mechanics/rounds.ts'
import type { Kv } from '../../ports/kv.ts'
import type { Effect } from '../writing/effects.ts'
import { createBreaker, type Later, within } from './breaker.ts'
import { createHeads } from './cache-heads.ts'
import { createCacheWriter, isRefusal, nameOf, refusesWrites } from './cache-writer.ts'
import { type CacheRead, createCacheEntries, type Seen } from './entries.ts'
import { createReadyWindows, type Ready } from './ready-windows.ts'
import { appliedOf, type CacheRule, cacheRule, loneRule } from './rule.ts'
import { type Window, windowBounds } from './window.ts'

export type Cache = AsyncDisposable & {
  /** Brings the cache up to date after commits. */
  readonly effect: Effect
  /** A window that this process has at hand: worth nothing until its version was asked for. */
  ready(tenant: string, id: string): Ready | undefined
  /** Whether what was committed here is on its way to the store. */
  isWriting(tenant: string, id: string): boolean
  /** The version of a full window in the store, 0 where there is none; undefined where it is away. */
  version(tenant: string, id: string): Promise<number | undefined>
  /** The newest `count` messages as far as the window goes; undefined where the store is away. */
  read(tenant: string, id: string, count: number): Promise<CacheRead | undefined>
  /** The database has erased it: this process keeps nothing of it. */
  forget(tenant: string, id: string): void
  /** Makes a window of a snapshot that was taken after `seen` was read. */
  fill(tenant: string, id: string, seen: Seen, snapshot: Window): Promise<void>
  /** A window above the database's version: nothing of it is believed. */
  distrust(tenant: string, id: string, version: number): Promise<void>
  /** Leaves no message of it; false where the store did not take that. */
  erase(tenant: string, id: string, version: number): Promise<boolean>
  /** False while the store answers and refuses whatever is to be written: then nobody reads it. */
  takesWrites(): boolean
}

export type CacheOptions = {
  readonly kv: Kv
  /** Whether other nodes see the same entries. */
  readonly isShared: boolean
  readonly events: Events
  readonly ttlSeconds: number
  readonly deadlineMs: number
  readonly readyBytesMax: number
  /**
   * Writes to every server of the store, and rejects where one does not take that; asked once a
   * second. Without it, only a write that somebody needs can show that the store takes none.
   */
  readonly probe?: (() => Promise<unknown>) | undefined
  /** When the breaker looks again; timers, without it. */
  readonly later?: Later
  /** Another rule than the one that holds, to prove that a test sees the difference. */
  readonly rule?: CacheRule
}

export function createCache(options: CacheOptions): Cache {
  const { kv, events, deadlineMs } = options
  const ttlMs = options.ttlSeconds * 1000
  const rule = options.rule ?? (options.isShared ? cacheRule : loneRule)
  const entries = createCacheEntries({ kv, rule, ttlMs })
  const heads = createHeads(kv)
  const windows = createReadyWindows(options.readyBytesMax)
  const filling = new Set<string>()
  let healInMs = healAfterMs
  let healing: ReturnType<typeof setTimeout> | undefined
  let isDisposed = false
  const writer = createCacheWriter({
    entries,
    onStored: (tenant, id, version) => windows.stored(nameOf(tenant, id), version),
    isOpen: () => breaker.closed,
    onAnswer: (ms) => breaker.answered(ms),
    onFailure: (...failure) => failed(...failure),
    onDirty() {
      // What is left undone then is for the expiry and, of an erasure, for the other nodes.
      if (healing !== undefined || isDisposed) return
      healing = setTimeout(() => void heal(), healInMs)
    },
  })
  /** The breaker heals before it closes; this is for what one failed call left behind. */
  const heal = async () => {
    healing = undefined
    // What was refused is tried again, ever less often.
    healInMs = Math.min(healInMs * 2, healSlowestMs)
    if (!breaker.closed) return
    try {
      if ((await writer.heal()) === 0) healInMs = healAfterMs
    } catch (thrown) {
      judge(thrown)
    }
  }
  const probe = async () => {
    const written = options.probe?.() ?? kv.set(probeKey, 0, { expireIn: probeStaysMs })
    await within(written, deadlineMs)
    await within(kv.get(probeKey), deadlineMs)
  }
  const breaker = createBreaker({
    probe,
    heal: () => writer.heal(),
    isRefusal: refusesWrites,
    apartMs: 5,
    // An answer slower than a reader's deadline does not count as a success.
    slowMs: deadlineMs,
    onOpen: (reason) => events.cacheSkipped(reason),
    onClose: () => events.cacheUsed(),
    ...(options.later === undefined ? {} : { later: options.later }),
  })
  /** Detects a KV that refuses writes on a node that only reads. */
  const heartbeat = createRounds(heartbeatMs, async () => {
    if (!breaker.closed || options.probe === undefined) return
    const askedAt = usableNow()
    await options.probe().catch((thrown) => judge(thrown, askedAt))
  })

  const judge = (reason: unknown, askedAt?: number) => {
    if (refusesWrites(reason)) breaker.refused(reason)
    else if (!isRefusal(reason)) breaker.failed(reason, askedAt)
  }
  const failed = (what: string, id: string, reason: unknown, askedAt: number) => {
    events.cacheFailed(what, id, reason)
    judge(reason, askedAt)
  }

  /** Undefined where the store is away or too slow; `ms` where somebody waits. */
  const ask = async <T>(what: string, id: string, work: () => Promise<T>, ms?: number) => {
    if (!breaker.closed) return undefined
    const askedAt = usableNow()
    try {
      const working = work()
      // Also where nobody waits for it any more.
      const answered = working.then((answer) => {
        breaker.answered(usableNow() - askedAt)
        return answer
      })
      return { answer: await (ms === undefined ? answered : within(answered, ms)) }
    } catch (thrown) {
      failed(what, id, thrown, askedAt)
      return undefined
    }
  }

  const erase = (tenant: string, id: string, version: number) => {
    windows.drop(nameOf(tenant, id))
    return writer.erase(tenant, id, version)
  }

  return {
    effect: {
      name: 'cache',
      committed(commit) {
        const { tenant, conversationId: id, version } = commit
        if (commit.touched === 'erased') {
          void erase(tenant, id, version)
          return
        }
        const applied = appliedOf(commit)
        windows.apply(nameOf(tenant, id), applied)
        writer.committed(tenant, id, applied)
      },
    },

    ready: (tenant, id) => windows.get(nameOf(tenant, id)),

    isWriting: writer.isWriting,

    async version(tenant, id) {
      const asked = await ask('read', id, () => heads.version(tenant, id), deadlineMs)
      return asked?.answer
    },

    async read(tenant, id, count) {
      const most = Math.min(count, windowBounds.messages)
      const asked = await ask('read', id, () => entries.read(tenant, id, most), deadlineMs)
      const found = asked?.answer
      if (found?.kind === 'window') windows.keep(nameOf(tenant, id), found.window)
      if (found?.seen !== undefined) writer.saw(tenant, id, found.seen)
      return found
    },

    forget: (tenant, id) => windows.drop(nameOf(tenant, id)),

    async fill(tenant, id, seen, snapshot) {
      const name = nameOf(tenant, id)
      windows.keep(name, snapshot)
      // Of many readers that missed at once, one is enough.
      if (filling.has(name)) return
      filling.add(name)
      const asked = await ask('fill', id, () => entries.fill(tenant, id, seen, snapshot))
      if (asked?.answer !== undefined) writer.saw(tenant, id, asked.answer)
      filling.delete(name)
    },

    async distrust(tenant, id, version) {
      events.cacheAhead(id, version)
      windows.drop(nameOf(tenant, id))
      await ask('drop', id, () => entries.forget(tenant, id), deadlineMs)
    },

    erase,

    takesWrites: () => !breaker.refusesWrites,

    async [Symbol.asyncDispose]() {
      isDisposed = true
      heartbeat[Symbol.dispose]()
      breaker.stop()
      clearTimeout(healing)
      await writer.drained()
    },
  }
}

const healAfterMs = 100
const healSlowestMs = 10_000

const heartbeatMs = 1000

/** Under a partition of its own. */
const probeKey = ['history', 'probe', true]
const probeStaysMs = 1000
