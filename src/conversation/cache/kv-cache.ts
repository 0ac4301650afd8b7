/**
 * KvCache is the history cache in a KV that other nodes may share. A read waits at most
 * `deadlineMs`.
 */

import type { Events } from '../../events.ts'
import { boundMs } from '../../mechanics/backoff.ts'
import { usableNow } from '../../mechanics/loop-delay.ts'
import { createPeriodicWork, type PeriodicWork } from '../../mechanics/periodic-work.ts'
import type { Kv } from '../../ports/kv.ts'
import { conversationName, kvKeys } from '../wire/kv-keys.ts'
import type { Commit, Effect } from '../writing/effects.ts'
import { type Breaker, createBreaker, type StartTimer, within } from './breaker.ts'
import type { Cache } from './cache.ts'
import { CacheHeads } from './cache-heads.ts'
import { CacheWriter } from './cache-writer.ts'
import { CacheEntries, type CacheRead, type HeadEntry } from './entries.ts'
import { isRefusal, refusesWrites } from './kv-refusal.ts'
import { type ReadyWindow, ReadyWindows } from './ready-windows.ts'
import { type CacheRule, cacheRule, loneRule, updateOf } from './rule.ts'
import { type Window, windowBounds } from './window.ts'

export type KvCacheOptions = {
  readonly kv: Kv
  /** Whether other nodes see the same entries. */
  readonly isShared: boolean
  readonly events: Events
  readonly ttlSeconds: number
  /** Milliseconds that a reader waits for the KV. */
  readonly deadlineMs: number
  /** The most bytes of ready windows in this process. */
  readonly readyBytesMax: number
  /**
   * Writes to every server of the KV, and rejects if one refuses; called once a second. Without a
   * probe, only a write of a conversation can show that the KV refuses writes.
   */
  readonly probe?: (() => Promise<unknown>) | undefined
  /** Runs the breaker's next probe later. @default a timer */
  readonly startTimer?: StartTimer
  /** A wrong rule, with which a test proves that it notices. @default the right rule */
  readonly rule?: CacheRule
}

/** The wait before a failed write is healed. It doubles each time that healing fails. */
const healBackoff = { firstMs: 100, maxMs: 10_000 }

const heartbeatMs = 1000

const probeStaysMs = 1000

export class KvCache implements Cache {
  readonly effect: Effect = { name: 'cache', committed: (commit) => this.#committed(commit) }
  readonly #options: KvCacheOptions
  readonly #entries: CacheEntries
  readonly #heads: CacheHeads
  readonly #windows: ReadyWindows
  readonly #writer: CacheWriter
  readonly #breaker: Breaker
  readonly #heartbeat: PeriodicWork
  /** Conversations whose window is being written. */
  readonly #filling = new Set<string>()
  /** How many times in a row healing left a conversation dirty. */
  #unhealed = 0
  #healing: ReturnType<typeof setTimeout> | undefined
  #isDisposed = false

  constructor(options: KvCacheOptions) {
    const { kv, events, deadlineMs, isShared, startTimer } = options
    const rule = options.rule ?? (isShared ? cacheRule : loneRule)
    this.#options = options
    this.#entries = new CacheEntries({ kv, rule, ttlMs: options.ttlSeconds * 1000 })
    this.#heads = new CacheHeads(kv)
    this.#windows = new ReadyWindows(options.readyBytesMax)
    this.#writer = new CacheWriter({
      entries: this.#entries,
      onStored: (tenant, id, version) =>
        this.#windows.markStored(conversationName(tenant, id), version),
      isOpen: () => this.#breaker.closed,
      onAnswer: (ms) => this.#breaker.answered(ms),
      onFailure: (...failure) => this.#failed(...failure),
      onDirty: () => this.#healLater(),
    })
    this.#breaker = createBreaker({
      probe: () => this.#probe(),
      heal: () => this.#writer.heal(),
      isRefusal: refusesWrites,
      apartMs: 5,
      // An answer slower than a reader's deadline does not count as a success.
      slowMs: deadlineMs,
      onOpen: (reason) => events.cacheSkipped(reason),
      onClose: () => events.cacheResumed(),
      ...(startTimer === undefined ? {} : { startTimer }),
    })
    this.#heartbeat = createPeriodicWork(heartbeatMs, () => this.#beat())
  }

  readyWindow(tenant: string, id: string): ReadyWindow | undefined {
    return this.#windows.get(conversationName(tenant, id))
  }

  isWriting(tenant: string, id: string): boolean {
    return this.#writer.isWriting(tenant, id)
  }

  async version(tenant: string, id: string): Promise<number | undefined> {
    const { deadlineMs } = this.#options
    const result = await this.#call('read', id, () => this.#heads.version(tenant, id), deadlineMs)
    return result?.answer
  }

  async read(tenant: string, id: string, count: number): Promise<CacheRead | undefined> {
    const max = Math.min(count, windowBounds.messages)
    const { deadlineMs } = this.#options
    const result = await this.#call(
      'read',
      id,
      () => this.#entries.read(tenant, id, max),
      deadlineMs,
    )
    const found = result?.answer
    if (found?.kind === 'window') this.#windows.keep(conversationName(tenant, id), found.window)
    if (found?.headEntry !== undefined) this.#writer.rememberHead(tenant, id, found.headEntry)
    return found
  }

  forget(tenant: string, id: string): void {
    this.#windows.drop(conversationName(tenant, id))
  }

  async fill(tenant: string, id: string, headEntry: HeadEntry, snapshot: Window): Promise<void> {
    const name = conversationName(tenant, id)
    this.#windows.keep(name, snapshot)
    // Many readers may miss at once: one of them fills the window.
    if (this.#filling.has(name)) return
    this.#filling.add(name)
    const result = await this.#call('fill', id, () =>
      this.#entries.fill(tenant, id, headEntry, snapshot),
    )
    if (result?.answer !== undefined) this.#writer.rememberHead(tenant, id, result.answer)
    this.#filling.delete(name)
  }

  async distrust(tenant: string, id: string, version: number): Promise<void> {
    const { events, deadlineMs } = this.#options
    events.cacheAhead(id, version)
    this.forget(tenant, id)
    await this.#call('drop', id, () => this.#entries.forget(tenant, id), deadlineMs)
  }

  erase(tenant: string, id: string, version: number): Promise<boolean> {
    this.forget(tenant, id)
    return this.#writer.erase(tenant, id, version)
  }

  acceptsWrites(): boolean {
    return !this.#breaker.refusesWrites
  }

  /** After dispose nothing is healed: stale entries expire, and other nodes finish the erasures. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true
    this.#heartbeat[Symbol.dispose]()
    this.#breaker.stop()
    clearTimeout(this.#healing)
    await this.#writer.drained()
  }

  #committed(commit: Commit): void {
    const { tenant, conversationId: id, version } = commit
    if (commit.touched === 'erased') {
      void this.erase(tenant, id, version)
      return
    }
    const update = updateOf(commit)
    this.#windows.apply(conversationName(tenant, id), update)
    this.#writer.committed(tenant, id, update)
  }

  /**
   * Calls the KV. Returns undefined if the KV is away or slower than `ms`. Only calls that a reader
   * waits for have `ms`.
   */
  async #call<T>(
    operation: string,
    id: string,
    work: () => Promise<T>,
    ms?: number,
  ): Promise<{ readonly answer: T } | undefined> {
    if (!this.#breaker.closed) return undefined
    const askedAt = usableNow()
    try {
      const working = work()
      // A late answer counts too, although its reader has stopped waiting.
      const answered = working.then((answer) => {
        this.#breaker.answered(usableNow() - askedAt)
        return answer
      })
      return { answer: await (ms === undefined ? answered : within(answered, ms)) }
    } catch (thrown) {
      this.#failed(operation, id, thrown, askedAt)
      return undefined
    }
  }

  #failed(operation: string, id: string, reason: unknown, askedAt: number): void {
    this.#options.events.cacheFailed(operation, id, reason)
    this.#judge(reason, askedAt)
  }

  #judge(reason: unknown, askedAt?: number): void {
    if (refusesWrites(reason)) this.#breaker.refused(reason)
    else if (!isRefusal(reason)) this.#breaker.failed(reason, askedAt)
  }

  async #probe(): Promise<void> {
    const { kv, deadlineMs, probe } = this.#options
    const written = probe?.() ?? kv.set(kvKeys.probe, 0, { expireIn: probeStaysMs })
    await within(written, deadlineMs)
    await within(kv.get(kvKeys.probe), deadlineMs)
  }

  /** Finds a KV that refuses writes, on a node that only reads. */
  async #beat(): Promise<void> {
    const { probe } = this.#options
    if (!this.#breaker.closed || probe === undefined) return
    const askedAt = usableNow()
    await probe().catch((thrown) => this.#judge(thrown, askedAt))
  }

  #healLater(): void {
    if (this.#healing !== undefined || this.#isDisposed) return
    this.#healing = setTimeout(() => void this.#heal(), boundMs(healBackoff, this.#unhealed))
  }

  /** Replaces outdated windows that failed calls left. The breaker also heals them when it closes. */
  async #heal(): Promise<void> {
    this.#healing = undefined
    // A refused write is tried again, each time after a longer wait.
    this.#unhealed += 1
    if (!this.#breaker.closed) return
    try {
      if ((await this.#writer.heal()) === 0) this.#unhealed = 0
    } catch (thrown) {
      this.#judge(thrown)
    }
  }
}
