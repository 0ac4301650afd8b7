/**
 * One conversation as it changes: every change once and in order, over any number of connections.
 * The position is the cursor of the last change that was taken into the buffer; a gap, a full buffer
 * or a lost connection is healed by subscribing again from there.
 */
import type { Change } from '../../conversation/wire/schemas.ts'
import { type Backoff, fullJitterMs } from '../../mechanics/backoff.ts'
import { Problem } from '../../problem.ts'
import type { ChangeFrame, Role, ServerFrame, SubFrame, UnsubFrame } from '../wire/client-frames.ts'
import { createEventBuffer } from './event-buffer.ts'
import type { LiveEvent, LiveStart } from './live-event.ts'

export type SubscriptionOptions = {
  readonly conversationId: string
  readonly start: LiveStart
  readonly backoff: Backoff
  /** Beyond this much text that waits for the consumer, the service is asked to stop. */
  readonly bufferCharacters: number
  readonly newFrameId: () => string
  readonly signal: AbortSignal | undefined
  /** The consumer asks for its first event: takes the subscription to a connection. */
  readonly onStart: (subscription: Subscription) => void
}

/** The connection it is on. */
export type Carrier = {
  /** Sent when the service takes more of this connection. */
  ask(frame: SubFrame): void
  /** Sent at once, and in place of an `ask` that was not sent. */
  leave(frame: UnsubFrame): void
  /** The subscription has ended. `confirms`: the service has been asked, and will say `unsubscribed`. */
  release(confirms: boolean): void
}

export type Subscription = AsyncIterableIterator<LiveEvent, void, void> & {
  readonly conversationId: string
  /** Once, when it is started. */
  attach(carrier: Carrier): void
  /** There is a connection: from now on its frames of this conversation come to `receive`. */
  welcomed(): void
  lost(): void
  receive(frame: ServerFrame, length: number): void
  /** The version that the service says the conversation has. */
  head(version: number): void
  fail(reason: unknown): void
}

/** More events than this do not wait for the consumer, however small. */
const bufferEventsMax = 1000
/** A head that was told and not reached in this time, without any progress, was missed. */
const missedMs = 2000

/**
 * `off`: no connection. `asked`: subscribed to, and not yet confirmed. `on`: changes come. `leaving`:
 * unsubscribed from, and not yet confirmed. `full`: left, until the consumer has caught up. `later`: to be
 * asked for again in a moment.
 */
type Phase = 'off' | 'asked' | 'on' | 'leaving' | 'full' | 'later' | 'ended'

export function createSubscription(options: SubscriptionOptions): Subscription {
  const { conversationId: c, backoff, signal } = options
  const { tail } = options.start
  let { cursor } = options.start
  let phase: Phase = 'off'
  let started = false
  let carrier: Carrier | undefined
  /** Of the last `sub` or `unsub`: older answers are of no interest. */
  let askId = ''
  /** The version at `cursor`; not known until the service has named one. */
  let last = cursor === undefined ? undefined : options.start.version
  let caughtUp = false
  /** Whose words the consumer shows that are not durable. */
  const saying = new Set<Role>()
  /** Attempts since the last progress. */
  let stumbles = 0
  let later: ReturnType<typeof setTimeout> | undefined
  let missed: ReturnType<typeof setTimeout> | undefined

  const buffer = createEventBuffer({
    characters: options.bufferCharacters,
    events: bufferEventsMax,
    onDrained: () => phase === 'full' && ask(),
  })

  /** Nobody will say that they are taken back, once their subscription is gone. */
  const unsay = () => {
    for (const role of saying) buffer.push({ type: 'partial', role, text: '' }, 0)
    saying.clear()
  }

  const ask = () => {
    if (buffer.isFull()) {
      phase = 'full'
      return
    }
    phase = 'asked'
    caughtUp = false
    unsay()
    askId = options.newFrameId()
    const start = cursor !== undefined ? { cursor } : tail !== undefined ? { tail } : {}
    carrier?.ask({ t: 'sub', id: askId, c, ...start })
  }

  const askLater = () => {
    phase = 'later'
    later = setTimeout(ask, fullJitterMs(backoff, stumbles - 1))
  }

  const leave = () => {
    phase = 'leaving'
    askId = options.newFrameId()
    carrier?.leave({ t: 'unsub', id: askId, c })
  }

  /** Something is missing: again, from the last that is known. */
  const stumble = () => {
    stumbles += 1
    leave()
  }

  const quiet = () => {
    clearTimeout(later)
    clearTimeout(missed)
    missed = undefined
  }

  /** `toldBy` the service: it has ended the subscription on its side. */
  const end = (toldBy: 'service' | 'consumer') => {
    if (phase === 'ended') return
    const subscribed = phase === 'asked' || phase === 'on'
    if (toldBy === 'consumer' && subscribed) leave()
    const confirms = toldBy === 'consumer' && phase === 'leaving'
    phase = 'ended'
    quiet()
    signal?.removeEventListener('abort', abort)
    carrier?.release(confirms)
  }

  const fail = (reason: unknown, toldBy: 'service' | 'consumer' = 'consumer') => {
    end(toldBy)
    buffer.stop({ reason })
  }

  const abort = () => fail(signal?.reason)
  signal?.addEventListener('abort', abort)
  if (signal?.aborted === true) abort()

  const change = (frame: ChangeFrame, length: number) => {
    const { t: _, c: __, snapshot = false, ...range } = frame
    if (last !== undefined && range.version <= last) return
    const isFirstOfTail = cursor === undefined && tail !== undefined
    if (!snapshot && (isFirstOfTail || (last !== undefined && range.from > last))) return stumble()
    const trimmed = snapshot || last === undefined ? range : after(last, range)
    last = range.version
    cursor = range.cursor
    stumbles = 0
    buffer.push({ type: 'change', snapshot, ...trimmed }, length)
    if (buffer.isFull()) leave()
  }

  const live = (version: number) => {
    if (cursor === undefined || (last !== undefined && version > last)) return stumble()
    last ??= version
    stumbles = 0
    caughtUp = true
    buffer.push({ type: 'live', version: last }, 0)
  }

  const on = (frame: ServerFrame, length: number) => {
    if (frame.t === 'change') change(frame, length)
    else if (frame.t === 'live') live(frame.version)
    else if (frame.t === 'partial') {
      saying[frame.text === '' ? 'delete' : 'add'](frame.role)
      buffer.push({ type: 'partial', role: frame.role, text: frame.text }, length)
    }
  }

  const receive = (frame: ServerFrame, length: number) => {
    if (frame.t === 'reset' && phase !== 'ended') {
      buffer.push({ type: 'reset', reason: frame.reason }, length)
      end('service')
      buffer.end()
    } else if (phase === 'on') on(frame, length)
    else if (phase === 'leaving' && frame.t === 'unsubscribed' && frame.id === askId)
      if (stumbles > 1) askLater()
      else ask()
    else if (phase === 'asked' && frame.t === 'subscribed' && frame.id === askId) {
      phase = 'on'
      // A tail's place is known only when it has come.
      if (tail === undefined) cursor ??= frame.cursor
    } else if (/asked|leaving/.test(phase) && frame.t === 'problem' && frame.id === askId) {
      const problem = Problem.told(frame)
      stumbles += 1
      if (problem.retryable) askLater()
      else fail(problem, 'service')
    }
  }

  return {
    conversationId: c,
    attach(by) {
      carrier = by
    },
    welcomed: () => phase !== 'ended' && ask(),
    lost() {
      quiet()
      unsay()
      if (phase !== 'ended') phase = 'off'
    },
    receive,
    head(version) {
      const known = last
      if (phase !== 'on' || !caughtUp || known === undefined || version <= known) return
      missed ??= setTimeout(() => {
        missed = undefined
        if (phase === 'on' && last === known) stumble()
      }, missedMs)
    },
    fail: (reason) => fail(reason),
    async next() {
      if (!started) {
        started = true
        if (phase !== 'ended') options.onStart(this)
      }
      return buffer.next()
    },
    async return() {
      end('consumer')
      buffer.stop()
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}

/** Without what was given before: rows that a later change touched are in a later range. */
function after(last: number, range: Change): Change {
  const newer = <Row extends { readonly version: number }>(rows: readonly Row[]) =>
    rows.filter(({ version }) => version > last)
  const { messages, segments } = range
  return {
    ...range,
    from: last,
    messages: newer(messages),
    ...(segments === undefined ? {} : { segments: newer(segments) }),
  }
}
