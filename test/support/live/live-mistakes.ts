/**
 * Seeded mistakes of live delivery. The checker must find each, or a clean campaign proves nothing.
 */

import type { Slice } from '../../../src/conversation/reading/live-reads.ts'
import type { Store } from '../../../src/conversation/store.ts'
import { newId } from '../../../src/conversation/wire/ids.ts'
import type { Principal } from '../../../src/conversation/wire/principal.ts'
import type { NewTurn } from '../../../src/conversation/wire/schemas.ts'
import { messagesOf, prepareTurn } from '../../../src/conversation/writing/turn.ts'
import { Channel } from '../../../src/live/following/channel.ts'
import { Slices } from '../../../src/live/following/slices.ts'
import { createLive, type Live, type LiveOptions } from '../../../src/live/live.ts'
import { changeText } from '../../../src/live/protocol/frame-text.ts'
import type { WriteOutcome } from '../../../src/live/socket/outbox.ts'
import { Stream } from '../../../src/live/socket/stream.ts'
import { WriteLines } from '../../../src/live/socket/write-lines.ts'
import type { Kv, KvEntryMaybe } from '../../../src/ports/kv.ts'
import type { Rule } from './live-judge.ts'
import type { SubscriberOptions } from './subscriber.ts'

export type Mistake = {
  /** The checker must report at least one of these rules. */
  readonly rules: readonly Rule[]
  readonly live?: (options: LiveOptions) => Live
  /** Replaces a method of a class until the result is disposed of. */
  readonly patch?: () => Disposable
  /** Makes a client move its cursor on a wrong frame. */
  readonly moves?: NonNullable<SubscriberOptions['moves']>
  /** Whether a node loses its database at times. */
  readonly cuts?: true
  readonly pollMs?: number
  /** About how long a producer's socket lasts, in milliseconds. */
  readonly restlessMs?: number
}

/** Replaces one method of a class. `usual` is the original method. */
function instead<T extends object, K extends keyof T>(
  prototype: T,
  name: K,
  make: (usual: T[K]) => T[K],
): Disposable {
  const usual = prototype[name]
  prototype[name] = make(usual)
  return {
    [Symbol.dispose]() {
      prototype[name] = usual
    },
  }
}

type Turn = Parameters<Store['recordTurn']>

const withStore =
  (
    recordTurn: (
      options: LiveOptions,
      live: Live,
      ...turn: Turn
    ) => ReturnType<Store['recordTurn']>,
  ) =>
  (options: LiveOptions): Live => {
    const live: Live = createLive({
      ...options,
      store: {
        ...options.store,
        recordTurn: (...turn) => recordTurn(options, live, ...turn),
      },
    })
    return live
  }

/** The turn with ids of its own, which are known before it is recorded. */
const named = (turn: NewTurn) => {
  const ids = { human: turn.user === undefined ? null : newId(), ai: newId() }
  const user = turn.user === undefined ? {} : { user: { ...turn.user, id: ids.human ?? '' } }
  return { ids, turn: { ...turn, ...user, assistant: { ...turn.assistant, id: ids.ai } } }
}

const nextOf = async ({ reader }: LiveOptions, principal: Principal, c: string) => {
  const { version, lastSeq } = await reader.conversation(principal, c)
  return { from: version, version: version + 1, seq: lastSeq + 1 }
}

/** Sockets that drop a frame at times, and report `outcome` for it. */
export const leaky =
  (outcome: WriteOutcome, make = createLive) =>
  (options: LiveOptions): Live => {
    const live = make(options)
    return {
      ...live,
      connect(outbox, ...rest) {
        const write: unknown = Reflect.get(outbox, 'write')
        if (typeof write !== 'function') throw new TypeError('an outbox writes')
        const leaking = (text: string): unknown =>
          text.startsWith('{"t":"change"') && Math.random() < 0.06
            ? outcome
            : write.call(outbox, text)
        Reflect.set(outbox, 'write', leaking)
        return live.connect(outbox, ...rest)
      },
    }
  }

/** A KV whose watches deliver the first values and no later change. */
export const forgetful = (options: LiveOptions): Live => {
  const { kv } = options.kv
  const watch: Kv['watch'] = <T extends readonly unknown[]>(keys: readonly unknown[]) => {
    let isFirst = true
    type Entries = { [K in keyof T]: KvEntryMaybe<T[K]> }
    const usual: ReadableStream<Entries> = kv.watch<T>(keys as Parameters<typeof kv.watch<T>>[0])
    return usual.pipeThrough(
      new TransformStream<Entries, Entries>({
        transform(entries, controller) {
          if (isFirst) controller.enqueue(entries)
          isFirst = false
        },
      }),
    )
  }
  const lost: Kv = {
    get: (...args) => kv.get(...args),
    getMany: (...args) => kv.getMany(...args),
    set: (...args) => kv.set(...args),
    delete: (...args) => kv.delete(...args),
    list: (...args) => kv.list(...args),
    watch,
    atomic: () => kv.atomic(),
    close() {},
    [Symbol.dispose]() {},
  }
  return createLive({ ...options, kv: { ...options.kv, kv: lost } })
}

/** All slices that each channel ever kept. */
function remembered() {
  const slicesKept = new WeakMap<Slices, Slice[]>()
  const add = instead(
    Slices.prototype,
    'add',
    (usual) =>
      function (this: Slices, slice: Slice) {
        slicesKept.set(this, [...(slicesKept.get(this) ?? []), slice])
        usual.call(this, slice)
      },
  )
  return { add, of: (slices: Slices) => slicesKept.get(slices)?.toReversed() ?? [] }
}

/**
 * Makes `Slices.after` return the slice that `choose` picks from all that were ever kept, the
 * newest first. A right slice stays as it is unless `always`, and so does the result if nothing is
 * picked.
 */
function wrongSlices(
  choose: (slicesKept: readonly Slice[], last: number) => Slice | undefined,
  always: boolean,
): Disposable {
  const { add, of } = remembered()
  const after = instead(
    Slices.prototype,
    'after',
    (usual) =>
      function (this: Slices, last: number) {
        const right = usual.call(this, last)
        if (right !== undefined && !always) return right
        const slice = choose(of(this), last)
        const c = slice?.messages[0]?.conversationId
        return slice === undefined || c === undefined
          ? right
          : { version: slice.version, text: changeText(c, slice) }
      },
  )
  return {
    [Symbol.dispose]() {
      add[Symbol.dispose]()
      after[Symbol.dispose]()
    },
  }
}

/**
 * How often a mistaken `join` looks, every 10 ms, whether the follower has read. Then it gives up.
 */
const looksMax = 1000

export const mistakes: Readonly<Record<string, Mistake>> = {
  'a turn is acknowledged before it is committed': {
    rules: ['lost'],
    cuts: true,
    live: withStore(async (options, _, principal, c, turn, key) => {
      const { ids, turn: sent } = named(turn)
      const { version } = await nextOf(options, principal, c)
      options.store.recordTurn(principal, c, sent, key).catch(() => {})
      const answer = { humanMessageId: ids.human, assistantMessageId: ids.ai, messages: [] }
      return { ...answer, version, cursor: 'x', replayed: false }
    }),
  },

  'a turn is published before it is committed': {
    rules: ['unfounded'],
    cuts: true,
    live: withStore(async (options, live, principal, c, turn, key) => {
      const { turn: sent } = named(turn)
      const { from, version, seq } = await nextOf(options, principal, c)
      const messages = messagesOf(prepareTurn(principal, c, sent, key), {
        version,
        seq,
        urls: null,
      })
      const { tenant } = principal
      live.effect.committed({
        ...{ tenant, conversationId: c, from, version, messages },
        touched: 'messages',
      })
      return options.store.recordTurn(principal, c, sent, key)
    }),
  },

  'a follower is registered after it has read the head, and misses the changes between': {
    rules: ['hole'],
    patch: () =>
      instead(
        Channel.prototype,
        'join',
        (usual) =>
          function (this: Channel, follower) {
            const register = () => {
              if (follower instanceof Stream) follower.last = this.head
              usual.call(this, follower)
            }
            // On a busy machine the read takes longer than any fixed delay.
            const look = (looks: number) => {
              if (follower.last !== undefined) setTimeout(register, 50)
              else if (looks < looksMax) setTimeout(() => look(looks + 1), 10)
            }
            look(1)
          },
      ),
  },

  'a missing change is not read': {
    rules: ['late'],
    patch: () => instead(Channel.prototype, 'need', () => () => {}),
  },

  'a gap is jumped over': {
    rules: ['hole'],
    patch: () =>
      wrongSlices((slicesKept, last) => slicesKept.find(({ from }) => from > last), false),
  },

  'a change contains rows that the receiver already has': {
    rules: ['twice'],
    patch: () =>
      wrongSlices((slicesKept, last) => {
        const next = slicesKept.find(({ from, version }) => from <= last && version > last)
        const before = slicesKept.find(({ version }) => version === next?.from)
        if (next === undefined || before === undefined) return next
        return { ...next, from: before.from, messages: [...before.messages, ...next.messages] }
      }, true),
  },

  'a frame that the socket did not take is not noticed': {
    rules: ['hole'],
    live: leaky('sent'),
  },

  'the writes of a socket overtake each other': {
    rules: ['fifo'],
    // On a busy machine, a shorter socket closes before it has two answers.
    restlessMs: 5000,
    patch: () =>
      instead(
        WriteLines.prototype,
        'run',
        () =>
          async <T>(
            _c: string,
            _alone: boolean,
            write: () => Promise<T>,
            answer: (written: T) => void,
          ) => {
            await Bun.sleep(Math.random() * 50)
            answer(await write())
          },
      ),
  },

  'a change whose hint was lost is not polled': {
    rules: ['late'],
    live: forgetful,
    pollMs: 600_000,
  },

  'the key of a turn is not stored': {
    rules: ['doubled'],
    live: withStore((options, _, principal, c, turn) =>
      options.store.recordTurn(principal, c, turn),
    ),
  },

  'a resume begins at the head': {
    rules: ['resume'],
    patch: () =>
      instead(
        Stream.prototype,
        'start',
        (usual) =>
          function (this: Stream, { t, c }) {
            return usual.call(this, { t, c })
          },
      ),
  },

  'a client moves its cursor by what it recorded': {
    rules: ['resume'],
    moves: (frame) => (frame.t === 'recorded' ? { c: frame.c, cursor: frame.cursor } : undefined),
  },
}
