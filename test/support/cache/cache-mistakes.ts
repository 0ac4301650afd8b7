/** Mistakes in the cache. The model must find each of them, or it proves nothing. */
import type { Cache } from '../../../src/conversation/cache/cache.ts'
import { OwnCache } from '../../../src/conversation/cache/own-cache.ts'
import { cacheRule, type Entry, type Head, stubOf } from '../../../src/conversation/cache/rule.ts'
import { bytesOf, fitted, type Window, windowOf } from '../../../src/conversation/cache/window.ts'
import { createEvents } from '../../../src/events.ts'
import { type Kv, KvError } from '../../../src/ports/kv.ts'
import type { Mistake } from './cache-model.ts'
import { changed } from './changed.ts'

const textsOf = (texts: ReadonlyMap<number, Uint8Array>) =>
  [...texts].sort(([a], [b]) => a - b).map(([, text]) => text)

/** A KV whose commits are changed on their way. */
const withChecks =
  (change: (kv: Kv, atomic: ReturnType<Kv['atomic']>) => void) =>
  (kv: Kv): Kv => ({
    get: (...args) => kv.get(...args),
    getMany: (...args) => kv.getMany(...args),
    set: (...args) => kv.set(...args),
    delete: (...args) => kv.delete(...args),
    list: (...args) => kv.list(...args),
    watch: (keys) => kv.watch(keys),
    atomic() {
      const atomic = kv.atomic()
      change(kv, atomic)
      return atomic
    },
    close() {},
    [Symbol.dispose]() {},
  })

const withCache = (change: (cache: Cache) => Partial<Cache>): Mistake => ({
  options: (options) => ({ ...options, cache: changed(options.cache, change(options.cache)) }),
})

export const ownCache = (): Cache =>
  new OwnCache({
    events: createEvents(() => {}),
    ttlSeconds: 600,
    memoryBytesMax: 1_000_000,
    readyBytesMax: 0,
  })

const withOwn = (change: (cache: Cache) => Partial<Cache>): Mistake => ({
  own() {
    const cache = ownCache()
    return changed(cache, change(cache))
  },
})

export const mistakes: Readonly<Record<string, Mistake>> = {
  'the head is not checked': {
    kv: withChecks((_, atomic) => {
      atomic.check = () => atomic
    }),
  },

  'writers make windows': {
    rule: {
      ...cacheRule,
      apply(head, applied) {
        const texts = textsOf(applied.texts)
        const to = Math.max(0, ...applied.texts.keys())
        return head === undefined && texts.length > 0
          ? cacheRule.fill(stubOf(0), fitted(applied.version, to, texts))
          : cacheRule.apply(head, applied)
      },
    },
  },

  'a gap before a commit is not noticed': {
    rule: {
      ...cacheRule,
      apply: (head, applied) =>
        cacheRule.apply(head, { ...applied, afterVersion: head?.version ?? applied.afterVersion }),
    },
  },

  'a late writer lowers the version': {
    rule: {
      ...cacheRule,
      apply(head, applied) {
        if (head === undefined || head.version <= applied.version)
          return cacheRule.apply(head, applied)
        return {
          head: { ...head, version: applied.version },
          texts: applied.texts,
          droppedSeqs: [],
        }
      },
    },
  },

  'the memory of one process accepts any snapshot': withOwn((cache) => ({
    async fill(tenant, id, seen, snapshot) {
      const now = await cache.read(tenant, id, 64)
      await cache.fill(tenant, id, now?.headEntry ?? seen, snapshot)
    },
  })),

  'the memory of one process does not notice a gap': withOwn((cache) => ({
    effect: {
      ...cache.effect,
      committed(commit) {
        const version = cache.readyWindow(commit.tenant, commit.conversationId)?.window.version
        cache.effect.committed({ ...commit, from: version ?? commit.from })
      },
    },
  })),

  'windows with missing messages are served': {
    rule: {
      ...cacheRule,
      window(head: Head, newestFirst: readonly Entry[], countMax: number) {
        const found = newestFirst.slice(0, countMax)
        const texts = found.map(({ text }) => text).reverse()
        const { version, to } = head
        return { version, from: to - texts.length + 1, to, texts, bytes: bytesOf(texts) }
      },
    },
  },

  'the snapshot is older than the remembered stamp': {
    options(options) {
      // The snapshot that the read before took.
      let early: Promise<Window> | undefined
      const take = async (tenant: string, id: string) => {
        const principal = { tenant, subject: 'local', scopes: 'all' } as const
        const newest = await options.reader.newest(principal, id, { limit: 64 })
        return windowOf(newest.version, newest.lastSeq, newest.messages)
      }
      const cache = changed(options.cache, {
        async fill(tenant, id, seen, snapshot) {
          const before = early
          early = take(tenant, id)
          await options.cache.fill(tenant, id, seen, (await before) ?? snapshot)
        },
      })
      return { ...options, cache }
    },
  },

  'versionstamps are used again': {
    kv: withChecks((kv, atomic) => {
      // As if every entry under one key had the same versionstamp.
      const { check, commit } = {
        check: atomic.check.bind(atomic),
        commit: atomic.commit.bind(atomic),
      }
      const checks: Parameters<typeof check> = []
      atomic.check = (...more) => {
        checks.push(...more)
        return atomic
      }
      atomic.commit = async () => {
        for (const { key, versionstamp } of checks) {
          const now = await kv.get<Head>(key)
          const isThere = now.value !== null && versionstamp !== null
          check({ key, versionstamp: isThere ? now.versionstamp : versionstamp })
        }
        return await commit()
      }
    }),
  },

  'an old dump is trusted': {
    async restart(kv, dump) {
      for (const { key, value } of dump) await kv.set(key, value)
    },
  },

  'the version was asked for before the read began': {
    options(options) {
      let asked: ReturnType<typeof options.versions.current> | undefined
      return {
        ...options,
        versions: {
          current(tenant, id) {
            // Joins a question that is in flight.
            asked ??= options.versions.current(tenant, id).finally(() => {
              asked = undefined
            })
            return asked
          },
        },
      }
    },
  },

  'the floor is not checked': {
    histories: (histories) =>
      changed(histories, {
        history: (principal, id, { minCursor, ...ask }) =>
          histories.history(
            principal,
            id,
            minCursor === undefined ? ask : { ...ask, consistency: 'eventual' },
          ),
      }),
  },

  'ready windows are served without a check of their version': withCache((cache) => ({
    version: async (tenant, id) => cache.readyWindow(tenant, id)?.window.version,
  })),
}

export const erasureMistakes: Readonly<Record<string, Mistake>> = {
  'the memory of one process keeps erased messages': withOwn(() => ({ erase: async () => true })),

  'an erasure leaves the messages': {
    kv: withChecks((_, atomic) => {
      atomic.delete = () => atomic
    }),
  },
}

/** Mistakes that show only if the KV refuses all writes for some time. */
export const refusalMistakes: Readonly<Record<string, Mistake>> = {
  'a refused write does not open the breaker': {
    refusal: new KvError('refused', 'READONLY'),
  },

  'refused writes are not healed': {
    rule: {
      ...cacheRule,
      apply: (head, applied) =>
        applied.afterVersion === undefined && applied.texts.size === 0
          ? undefined
          : cacheRule.apply(head, applied),
    },
  },
}

export const listMistakes: Readonly<Record<string, Mistake>> = {
  'an erased conversation is served from a ready window': {
    options: (options) => ({ ...options, isErased: () => false }),
  },
}
