/**
 * Runs the real cache code of two nodes in a world in which the schedule chooses every step:
 * commits, effects that run late, twice or never, reads, evictions and restarts. It also chooses
 * when each call of the KV and of the database runs, and when it is answered. The database is a
 * list of committed states. The KV may refuse all writes and still answer reads.
 */
import type { Cache } from '../../../src/conversation/cache/cache.ts'
import { createErasures, type Erasures } from '../../../src/conversation/cache/erasures.ts'
import { KvCache } from '../../../src/conversation/cache/kv-cache.ts'
import type { PrintedPage } from '../../../src/conversation/cache/printed-page.ts'
import { type CacheRule, isHead } from '../../../src/conversation/cache/rule.ts'
import { Histories, type HistoriesOptions } from '../../../src/conversation/histories.ts'
import { encodeCursor } from '../../../src/conversation/wire/ids.ts'
import { kvKeys } from '../../../src/conversation/wire/kv-keys.ts'
import { printMessage } from '../../../src/conversation/wire/message-text.ts'
import type { Message } from '../../../src/conversation/wire/schemas.ts'
import type { Commit } from '../../../src/conversation/writing/effects.ts'
import { createEvents } from '../../../src/events.ts'
import type { Database } from '../../../src/ports/database.ts'
import {
  type Kv,
  type KvEntry,
  KvError,
  type KvKey,
  type KvListIterator,
} from '../../../src/ports/kv.ts'
import { Problem } from '../../../src/problem.ts'
import { plainMessage } from '../message.ts'

export type Step =
  | {
      readonly type: 'commit'
      readonly node: number
      readonly adds: 0 | 1 | 2
      readonly touches: boolean
      readonly effect: 'now' | 'late' | 'twice' | 'never'
    }
  | {
      readonly type: 'read'
      readonly node: number
      readonly mode: 'strong' | 'eventual' | 'floor'
      readonly last: number
    }
  /** The KV loses the conversation (`evict`), one message (`expire`), or everything. */
  | { readonly type: 'evict' | 'expire' | 'restartKv' }
  | { readonly type: 'restartNode' | 'erase'; readonly node: number }
  /** The KV begins to refuse writes, or ends it. */
  | { readonly type: 'refuse' | 'accept' }
  /** A node polls the erasures. */
  | { readonly type: 'poll'; readonly node: number }

/** A mistake that the model must find. Members that it does not set are right. */
export type Mistake = {
  readonly rule?: CacheRule
  readonly kv?: (kv: Kv) => Kv
  /** The error of a refused write. */
  readonly refusal?: KvError
  /** Fills the KV after a restart. */
  readonly restart?: (kv: Kv, dump: Dump) => Promise<void>
  readonly options?: (options: HistoriesOptions) => HistoriesOptions
  readonly histories?: (histories: Histories) => Histories
  /** Makes the cache in memory of one process, which takes the place of two nodes on a KV. */
  readonly own?: () => Cache
}

export type Dump = readonly { readonly key: KvKey; readonly value: unknown }[]

const tenant = 'default'
const id = '0192f0c1-7c00-7000-8000-000000000001'
const principal = { tenant, subject: 'local', scopes: 'all' } as const
const prefix = kvKeys.history(tenant, id)

/** Throws if an answer is wrong. `choices` decide what happens next; they repeat from the start. */
export async function runSchedule(
  kv: Kv,
  steps: readonly Step[],
  choices: readonly number[],
  mistake: Mistake = {},
): Promise<void> {
  const world = new World(kv, choices, mistake)
  await clear(kv)
  const remaining = [...steps]
  // In hasty schedules many steps begin before one ends; in calm ones the cache fills and is used.
  const pace = [3, 12, 40][(choices[0] ?? 0) % 3] ?? 3
  for (let step = remaining.shift(); step !== undefined || world.pending.length > 0; ) {
    const isNext = step !== undefined && (world.pending.length === 0 || world.choose(pace) === 0)
    if (isNext && step !== undefined) {
      await world.start(step)
      step = remaining.shift()
    } else await world.release()
    // A node probes until the KV accepts writes, and a schedule must end.
    if (step === undefined) world.accept()
  }
  await world.end()
}

/** A cache in memory of one process loses nothing but whole conversations. */
const isLoss = ({ type }: Step) => /^(evict|expire|restart)/.test(type)

async function clear(kv: Kv): Promise<void> {
  for (const { key } of await dumpOf(kv)) await kv.delete(key)
}

async function dumpOf(kv: Kv): Promise<Dump> {
  return await Array.fromAsync(kv.list({ prefix }), ({ key, value }) => ({ key, value }))
}

type Node = {
  readonly cache: Cache
  readonly histories: Histories
  readonly erasures: Erasures
  readonly state: NodeState
}

/** Facts that a node has learned. Its later answers must not fall behind them. */
type NodeState = {
  /** The newest version that the node could not write, because the KV refused it. */
  refusedVersion: number
  isErased: boolean
}

const readOnly = new KvError('refused', 'READONLY', { refusesWrites: true })

class World {
  readonly pending: (() => Promise<void> | void)[] = []
  /** Calls that run after all others, as of a paused process or a packet on a long way. */
  private readonly stragglers = new Set<() => Promise<void> | void>()
  /** The messages in the database at each version. */
  private readonly states: Message[][] = [[]]
  private readonly reads: Promise<void>[] = []
  private readonly nodes: Node[] = []
  private readonly retired: Node[] = []
  private isErased = false
  /** The cache has confirmed that it has no message of the erased conversation. */
  private isErasedInCache = false
  /** The row that the erasing call left. */
  private erasureRow: { tenant: string; id: string; version: number; isPast: false } | undefined
  private isRefusing = false
  private newestCached = 0
  private at = 0
  private dump: Dump = []
  private failure: unknown

  private readonly kv: Kv
  private readonly choices: readonly number[]
  private readonly mistake: Mistake

  constructor(kv: Kv, choices: readonly number[], mistake: Mistake) {
    this.kv = kv
    this.choices = choices
    this.mistake = mistake
    const first = this.createNode()
    // Both nodes share the cache in memory of one process.
    this.nodes = [first, mistake.own === undefined ? this.createNode() : first]
  }

  choose(count: number): number {
    const choice = this.choices[this.at % this.choices.length] ?? 0
    this.at += 1
    // Few choices repeated must not repeat the same schedule.
    return (choice + Math.floor(this.at / this.choices.length)) % count
  }

  private get version(): number {
    return this.states.length - 1
  }

  async start(step: Step): Promise<void> {
    if (this.mistake.own !== undefined && isLoss(step)) {
      for (const { cache } of this.nodes) cache.forget(tenant, id)
      return
    }
    switch (step.type) {
      case 'commit':
        if (this.choose(4) === 0) this.dump = await dumpOf(this.kv)
        this.commit(step)
        break
      case 'read':
        this.read(step)
        break
      case 'erase':
        this.erase(step.node)
        break
      case 'refuse':
        this.isRefusing = true
        break
      case 'accept':
        this.accept()
        break
      case 'poll':
        void this.nodes[step.node]?.erasures.workOff()
        break
      case 'evict':
        await clear(this.kv)
        break
      case 'expire': {
        const entries = await dumpOf(this.kv)
        const expired = entries[this.choose(Math.max(1, entries.length))]
        if (expired !== undefined && typeof expired.key[2] === 'number')
          await this.kv.delete(expired.key)
        break
      }
      case 'restartKv': {
        await clear(this.kv)
        await this.mistake.restart?.(this.kv, this.dump)
        break
      }
      case 'restartNode': {
        // Calls of the old node continue, as those of a paused process that was taken for dead.
        const node = this.nodes[step.node]
        if (node !== undefined) this.retired.push(node)
        this.nodes[step.node] = this.createNode()
      }
    }
    await settled()
  }

  accept(): void {
    this.isRefusing = false
  }

  async release(): Promise<void> {
    const prompt = this.pending.filter((each) => !this.stragglers.has(each))
    const ready = prompt.length > 0 && this.choose(20) > 0 ? prompt : this.pending
    const next = ready[this.choose(ready.length)]
    if (next !== undefined) {
      this.pending.splice(this.pending.indexOf(next), 1)
      this.stragglers.delete(next)
      await next()
    }
    await settled()
    if (this.failure !== undefined) throw this.failure
  }

  async end(): Promise<void> {
    this.accept()
    const all = [...this.nodes, ...this.retired].map(({ cache, erasures }) => {
      erasures[Symbol.dispose]()
      return cache[Symbol.asyncDispose]()
    })
    while (this.pending.length > 0) await this.release()
    await Promise.all(this.reads)
    while (this.pending.length > 0) await this.release()
    await Promise.all(all)
    // Nodes on a KV may keep a ready window, because they check its version before they serve it.
    const isKept = this.nodes.some(({ cache }) => cache.readyWindow(tenant, id) !== undefined)
    if (this.isErasedInCache && this.mistake.own !== undefined && isKept)
      throw new Error('a window was erased but is still kept')
    const entriesLeft = this.isErasedInCache ? await dumpOf(this.kv) : []
    for (const { key } of entriesLeft)
      if (typeof key[2] === 'number')
        throw new Error(`message ${key[2]} was erased but is still stored`)
    if (this.failure !== undefined) throw this.failure
  }

  private commit({ node, adds, touches, effect }: Extract<Step, { type: 'commit' }>): void {
    if (this.isErased) return
    const before = this.states.at(-1) ?? []
    const version = this.version + 1
    const messages = [...before]
    const touched: Message[] = []
    if (touches && before.length > 0) {
      const at = this.choose(before.length)
      const old = before[at]
      if (old !== undefined) touched.push({ ...old, version, ttsAudioUrls: [`of ${version}`] })
    }
    for (let index = 0; index < adds; index += 1)
      touched.push(messageAt(before.length + index + 1, version, adds))
    for (const message of touched) messages[message.seq - 1] = message
    this.states.push(messages)
    const commit: Commit = {
      tenant,
      conversationId: id,
      from: version - 1,
      version,
      messages: touched,
      touched: 'messages',
    }
    const committer = this.nodes[node]
    const runEffect = () => {
      // The node does not even call the KV then.
      if (committer?.cache.acceptsWrites() === false) committer.state.refusedVersion = version
      committer?.cache.effect.committed(commit)
    }
    if (effect === 'now' || effect === 'twice') runEffect()
    if (effect === 'late' || effect === 'twice') this.pending.push(runEffect)
  }

  private erase(node: number): void {
    if (this.isErased || this.version === 0) return
    this.isErased = true
    this.states.push([])
    const { version } = this
    this.erasureRow = { tenant, id, version, isPast: false }
    const erasing = this.nodes[node]
    if (erasing === undefined) return
    erasing.erasures.effect.committed({
      ...{ tenant, conversationId: id, from: version - 1, version },
      ...{ messages: [], touched: 'erased' },
    })
    erasing.state.isErased = true
    void erasing.cache.erase(tenant, id, version).then((isDone) => {
      if (isDone) this.isErasedInCache = true
    })
  }

  private read({ node, mode, last }: Extract<Step, { type: 'read' }>): void {
    if (this.version === 0) return
    const floor = 1 + this.choose(this.version)
    const state = this.nodes[node]?.state
    const demanded = mode === 'strong' ? this.version : mode === 'floor' ? floor : 0
    const atLeast = Math.max(demanded, state?.refusedVersion ?? 0)
    const cachedBefore = this.newestCached
    const mustBeErased =
      this.isErasedInCache || state?.isErased === true || (mode === 'strong' && this.isErased)
    const options = {
      strong: { consistency: 'strong' },
      eventual: { consistency: 'eventual' },
      floor: { minCursor: encodeCursor(id, floor) },
    } as const
    const answered = async () => {
      const answer = await this.nodes[node]?.histories.history(principal, id, {
        last,
        ...options[mode],
      })
      if (answer === undefined) return
      if (mustBeErased)
        throw new Error(
          `${mode} read from the ${answer.source}: the conversation was erased before`,
        )
      this.judge(answer, { mode, last, atLeast, cachedBefore })
      if (answer.source === 'cache') this.newestCached = Math.max(this.newestCached, answer.version)
    }
    this.reads.push(
      answered().catch((thrown) => {
        const isRefused = thrown instanceof Problem && thrown.code === 'conversation-erased'
        if (!isRefused || !this.isErased) this.failure ??= thrown
      }),
    )
  }

  private judge(
    { version, texts, source }: PrintedPage,
    request: { mode: string; last: number; atLeast: number; cachedBefore: number },
  ): void {
    const fail = (what: string) => {
      throw new Error(`${request.mode} read of ${request.last} from the ${source}: ${what}`)
    }
    if (version < request.atLeast) fail(`is at ${version}, and must reach ${request.atLeast}`)
    if (source === 'cache' && version < request.cachedBefore)
      fail(`is at ${version} after another was at ${request.cachedBefore}`)
    const truth = this.states[version]?.slice(-request.last).map(textOf)
    if (truth === undefined) fail(`is at ${version}, which was never committed`)
    const found = texts.map((text) => new TextDecoder().decode(text))
    if (JSON.stringify(found) !== JSON.stringify(truth))
      fail(`is not what was at ${version}: ${found.length} messages`)
  }

  private createNode(): Node {
    const state: NodeState = { refusedVersion: 0, isErased: false }
    const refused = { version: 0 }
    const kv = this.scheduled(this.mistake.kv?.(this.kv) ?? this.kv, refused)
    const { own } = this.mistake
    const events = {
      ...createEvents(() => {}),
      cacheFailed(what: string, _: string, error: unknown) {
        const isRefused = error instanceof KvError && error.message === readOnly.message
        if (what === 'apply' && isRefused)
          state.refusedVersion = Math.max(state.refusedVersion, refused.version)
      },
    }
    const cache =
      own?.() ??
      new KvCache({
        kv,
        isShared: true,
        events,
        ttlSeconds: 600,
        startTimer: (work) => {
          this.pending.push(work)
          return () => {
            const at = this.pending.indexOf(work)
            if (at >= 0) this.pending.splice(at, 1)
          }
        },
        // The schedule decides which call is late.
        deadlineMs: 1_000_000,
        readyBytesMax: 1_000_000,
        ...(this.mistake.rule === undefined ? {} : { rule: this.mistake.rule }),
      })
    const snapshot = (last: number | undefined) =>
      this.call(() => {
        if (this.isErased) return Promise.reject(new Problem('conversation-erased'))
        const messages = this.states.at(-1) ?? []
        const { version } = this
        return Promise.resolve({
          version,
          lastSeq: messages.length,
          cursor: encodeCursor(id, version),
          messages: messages.slice(-(last ?? messages.length)),
        })
      })
    // Histories use only these two functions.
    const reader = {
      newest: (_: unknown, __: string, { limit }: { limit: number }) => snapshot(limit),
      history: (_: unknown, __: string, { last }: { last?: number }) => snapshot(last),
    } as unknown as HistoriesOptions['reader']
    const rows = () => {
      const row = this.erasureRow
      if (row === undefined) return Promise.resolve([])
      return Promise.resolve([row])
    }
    // Answers only the statements of the erasures.
    const database = {
      query: async ({ text }: { text: string }) => {
        if (!text.startsWith('DELETE')) {
          const found = await this.call(rows)
          if (found.length > 0) state.isErased = true
          return found
        }
        this.isErasedInCache = true
        await this.call(async () => {
          this.erasureRow = undefined
        })
        return []
      },
    } as unknown as Database
    const erasures = createErasures({
      ...{ database, cache, isShared: true, ttlSeconds: 600 },
      events: createEvents(() => {}),
    })
    const options: HistoriesOptions = {
      reader,
      cache,
      versions: {
        current: () =>
          this.call(() => Promise.resolve({ version: this.version, isErased: this.isErased })),
      },
      isErased: erasures.isListed,
      isCoherent: true,
      historyMessagesMax: 10_000,
    }
    const histories = new Histories(this.mistake.options?.(options) ?? options)
    return {
      cache,
      erasures,
      state,
      histories: this.mistake.histories?.(histories) ?? histories,
    }
  }

  /** Runs `work` at one step of the schedule, and answers at a later one. */
  private call<T>(work: () => Promise<T>, mayBeLost = false): Promise<T> {
    return new Promise((resolve, reject) => {
      const fate = mayBeLost ? this.choose(60) : 0
      const run = async () => {
        if (fate === 58) return reject(new KvError('not-sent', 'lost on the way there'))
        const outcome = await work().then(
          (value) => () => resolve(value),
          (thrown) => () => reject(thrown),
        )
        if (fate === 59)
          this.pending.push(() => reject(new KvError('unknown', 'lost on the way back')))
        else this.pending.push(outcome)
      }
      this.pending.push(run)
      if (this.choose(6) === 0) this.stragglers.add(run)
    })
  }

  /** Returns the KV with every call under control of the schedule. */
  private scheduled(kv: Kv, refused: { version: number }): Kv {
    const call = <T>(work: () => Promise<T>) => this.call(work, true)
    const write = <T>(work: () => Promise<T>, version = 0) =>
      call(() => {
        if (!this.isRefusing) return work()
        refused.version = version
        return Promise.reject(this.mistake.refusal ?? readOnly)
      })
    const list = <T>(...args: Parameters<Kv['list']>): KvListIterator<T> => {
      async function* entries(): AsyncGenerator<KvEntry<T>, undefined, unknown> {
        yield* await call(() => Array.fromAsync(kv.list<T>(...args)))
        return undefined
      }
      const iterator = entries()
      return {
        cursor: '',
        next: () => iterator.next(),
        [Symbol.asyncIterator]() {
          return this
        },
      }
    }
    return {
      get: (...args) => call(() => kv.get(...args)),
      getMany: (...args) => call(() => kv.getMany(...args)),
      set: (...args) => write(() => kv.set(...args)),
      delete: (...args) => write(() => kv.delete(...args)),
      list,
      watch: (keys) => kv.watch(keys),
      atomic() {
        const atomic = kv.atomic()
        const commit = atomic.commit.bind(atomic)
        const set = atomic.set.bind(atomic)
        let version = 0
        atomic.set = (key, value, options) => {
          if (isHead(value)) version = value.version
          return set(key, value, options)
        }
        atomic.commit = () => write(commit, version)
        return atomic
      },
      close() {},
      [Symbol.dispose]() {},
    }
  }
}

const textOf = (message: Message) => new TextDecoder().decode(printMessage(message))

/** A human message precedes its answer. Some messages are too large for a window. */
function messageAt(seq: number, version: number, adds: number): Message {
  const isHuman = adds === 2 && seq % 2 === 1
  const size = version % 11 === 10 ? 70_000 : version % 5 === 4 ? 20_000 : 10
  return plainMessage(id, {
    seq,
    version,
    role: isHuman ? 'human' : 'ai',
    text: `${version} `.padEnd(size, 'x'),
  })
}

/** Resolves once all work that needs no step of the schedule is done. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve))
