/** Ways to get live delivery wrong. The checker must see each, or a clean campaign proves nothing. */

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
  /** One of them must be found. */
  readonly rules: readonly Rule[]
  readonly live?: (options: LiveOptions) => Live
  /** Puts something else in place of what the classes do, until it is disposed of. */
  readonly patch?: () => Disposable
  /** A client's own mistake. */
  readonly moves?: NonNullable<SubscriberOptions['moves']>
  /** A node loses its database, now and then. */
  readonly cuts?: true
  readonly pollMs?: number
  /** About how long a producer's socket lasts, milliseconds. */
  readonly restlessMs?: number
}

/** Something else for one method of a class; `usual` is what it does. */
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

/** Its ids are known before it is recorded. */
const named = (turn: NewTurn) => {
  const ids = { human: turn.user === undefined ? null : newId(), ai: newId() }
  const user = turn.user === undefined ? {} : { user: { ...turn.user, id: ids.human ?? '' } }
  return { ids, turn: { ...turn, ...user, assistant: { ...turn.assistant, id: ids.ai } } }
}

const nextOf = async ({ reader }: LiveOptions, principal: Principal, c: string) => {
  const { version, lastSeq } = await reader.conversation(principal, c)
  return { from: version, version: version + 1, seq: lastSeq + 1 }
}

/** A socket that now and then takes no more, and says `outcome` of it. */
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

/** A store whose watchers are told what is there, and of changes no more, although it answers. */
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

/** What was kept of each conversation, the newest last. */
function remembered() {
  const kept = new WeakMap<Slices, Slice[]>()
  const add = instead(
    Slices.prototype,
    'add',
    (usual) =>
      function (this: Slices, slice: Slice) {
        kept.set(this, [...(kept.get(this) ?? []), slice])
        usual.call(this, slice)
      },
  )
  return { add, of: (slices: Slices) => kept.get(slices)?.toReversed() ?? [] }
}

/** `choose` what follows a version among all that was ever kept, the newest first; else it is as usual. */
function wrongSlices(
  choose: (kept: readonly Slice[], last: number) => Slice | undefined,
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

/** A follower that has not read by then, 10 ms each, has failed and is gone. */
const looksMax = 1000

export const mistakes: Readonly<Record<string, Mistake>> = {
  'a turn is acknowledged before it is committed': {
    rules: ['lost'],
    cuts: true,
    live: withStore(async (options, _, principal, c, turn, key) => {
      const { ids, turn: sent } = named(turn)
      const { version } = await nextOf(options, principal, c)
      options.store.recordTurn(principal, c, sent, key).catch(() => {})
      const told = { humanMessageId: ids.human, assistantMessageId: ids.ai, messages: [] }
      return { ...told, version, cursor: 'x', replayed: false }
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

  'a follower is registered after it has read, and nothing is kept for it meanwhile': {
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
            // On a busy machine, reading takes longer than any time that a test would choose.
            const look = (looks: number) => {
              if (follower.last !== undefined) setTimeout(register, 50)
              else if (looks < looksMax) setTimeout(() => look(looks + 1), 10)
            }
            look(1)
          },
      ),
  },

  'what is missing is not read': {
    rules: ['late'],
    patch: () => instead(Channel.prototype, 'need', () => () => {}),
  },

  'a gap is jumped over': {
    rules: ['hole'],
    patch: () => wrongSlices((kept, last) => kept.find(({ from }) => from > last), false),
  },

  'what the receiver has is not left out': {
    rules: ['twice'],
    patch: () =>
      wrongSlices((kept, last) => {
        const next = kept.find(({ from, version }) => from <= last && version > last)
        const before = kept.find(({ version }) => version === next?.from)
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
    // On a busy machine, a socket of less is gone before it has had two answers.
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

  'nobody looks for what no hint came of': {
    rules: ['late'],
    live: forgetful,
    pollMs: 600_000,
  },

  'the key of a turn is not kept': {
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
