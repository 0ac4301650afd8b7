/**
 * Subscription is one conversation as it changes: every change once and in order, over any number of connections.
 * Its position is that of the last change that was taken into the buffer; a gap, a full buffer or a lost connection is
 * healed by subscribing again from there.
 */
import { type Backoff, fullJitterMs } from '../../mechanics/backoff.ts'
import { Problem } from '../../problem-error.ts'
import type { Carrier, Subscriber } from '../socket/link-users.ts'
import type { Role, ServerFrame } from '../wire/client-frames.ts'
import { createEventBuffer, type EventBuffer } from './event-buffer.ts'
import type { LiveEvent, LiveStart } from './live-event.ts'
import { Position } from './position.ts'

export type SubscriptionOptions = {
  readonly conversationId: string
  readonly start: LiveStart
  readonly backoff: Backoff
  /** Beyond this much text that waits for the consumer, the service is asked to stop. */
  readonly bufferCharacters: number
  readonly newFrameId: () => string
  readonly signal: AbortSignal | undefined
  /** The consumer asks for its first event: takes the subscription to a connection. */
  readonly onStart: (subscription: Subscriber) => void
}

/** More events than this do not wait for the consumer, however small. */
const bufferEventsMax = 1000
/** A pinged version that was not reached in this time, without any progress, was missed. */
const missedMs = 2000

/**
 * `off`: no connection. `asked`: subscribed to, and not yet confirmed. `on`: changes come. `leaving`:
 * unsubscribed from, and not yet confirmed. `full`: left, until the consumer has caught up. `later`: to be
 * asked for again in a moment.
 */
type Phase = 'off' | 'asked' | 'on' | 'leaving' | 'full' | 'later' | 'ended'

export class Subscription implements Subscriber, AsyncIterableIterator<LiveEvent, void, void> {
  readonly conversationId: string
  readonly #options: SubscriptionOptions
  readonly #position: Position
  readonly #buffer: EventBuffer
  #phase: Phase = 'off'
  #isStarted = false
  #carrier: Carrier | undefined
  /** Of the last `sub` or `unsub`: older answers are of no interest. */
  #askId = ''
  #caughtUp = false
  /** Whose words the consumer shows that are not durable. */
  readonly #speaking = new Set<Role>()
  /** Attempts since the last progress. */
  #stumbles = 0
  #later: ReturnType<typeof setTimeout> | undefined
  #missed: ReturnType<typeof setTimeout> | undefined

  constructor(options: SubscriptionOptions) {
    this.#options = options
    this.conversationId = options.conversationId
    this.#position = new Position(options.start)
    this.#buffer = createEventBuffer({
      characters: options.bufferCharacters,
      events: bufferEventsMax,
      onDrained: () => this.#phase === 'full' && this.#ask(),
    })
    options.signal?.addEventListener('abort', this.#abort)
    if (options.signal?.aborted === true) this.#abort()
  }

  /** A property, so that it works unbound. */
  readonly next = async (): Promise<IteratorResult<LiveEvent, void>> => {
    if (!this.#isStarted) {
      this.#isStarted = true
      if (this.#phase !== 'ended') this.#options.onStart(this)
    }
    return this.#buffer.next()
  }

  readonly return = async (): Promise<IteratorResult<LiveEvent, void>> => {
    this.#end('consumer')
    this.#buffer.stop()
    return { done: true, value: undefined }
  };

  [Symbol.asyncIterator](): this {
    return this
  }

  attach(carrier: Carrier): void {
    this.#carrier = carrier
  }

  welcomed(): void {
    if (this.#phase !== 'ended') this.#ask()
  }

  lost(): void {
    this.#clearTimers()
    this.#takeBackPartials()
    if (this.#phase !== 'ended') this.#phase = 'off'
  }

  receive(frame: ServerFrame, length: number): void {
    const isAnswer = 'id' in frame && frame.id === this.#askId
    if (frame.t === 'reset' && this.#phase !== 'ended') {
      this.#buffer.push({ type: 'reset', reason: frame.reason }, length)
      this.#end('service')
      this.#buffer.end()
    } else if (this.#phase === 'on') this.#event(frame, length)
    else if (isAnswer) this.#answer(frame)
  }

  head(version: number): void {
    const known = this.#position.version
    if (this.#phase !== 'on' || !this.#caughtUp || known === undefined || version <= known) return
    this.#missed ??= setTimeout(() => {
      this.#missed = undefined
      if (this.#phase === 'on' && this.#position.version === known) this.#stumble()
    }, missedMs)
  }

  fail(reason: unknown): void {
    this.#end('consumer')
    this.#buffer.stop({ reason })
  }

  readonly #abort = () => this.fail(this.#options.signal?.reason)

  /** The answer to the last `sub` or `unsub`. */
  #answer(frame: ServerFrame): void {
    if (this.#phase === 'leaving' && frame.t === 'unsubscribed') {
      if (this.#stumbles > 1) this.#askLater()
      else this.#ask()
    } else if (this.#phase === 'asked' && frame.t === 'subscribed') {
      this.#phase = 'on'
      this.#position.confirm(frame.cursor)
    } else if (/asked|leaving/.test(this.#phase) && frame.t === 'problem') {
      const problem = Problem.received(frame)
      this.#stumbles += 1
      if (problem.retryable) this.#askLater()
      else {
        this.#end('service')
        this.#buffer.stop({ reason: problem })
      }
    }
  }

  #event(frame: ServerFrame, length: number): void {
    if (frame.t === 'change') {
      const event = this.#position.take(frame)
      if (event === 'gap') this.#stumble()
      else if (event !== 'old') this.#progress(event, length)
    } else if (frame.t === 'live') {
      if (this.#position.reach(frame.version)) {
        this.#caughtUp = true
        this.#progress({ type: 'live', version: this.#position.version ?? frame.version }, 0)
      } else this.#stumble()
    } else if (frame.t === 'partial') {
      const { role, text } = frame
      this.#speaking[text === '' ? 'delete' : 'add'](role)
      this.#buffer.push({ type: 'partial', role, text }, length)
    }
  }

  #progress(event: LiveEvent, length: number): void {
    this.#stumbles = 0
    this.#buffer.push(event, length)
    if (event.type === 'change' && this.#buffer.isFull()) this.#leave()
  }

  /** Nobody will say that they are taken back, once their subscription is gone. */
  #takeBackPartials(): void {
    for (const role of this.#speaking) this.#buffer.push({ type: 'partial', role, text: '' }, 0)
    this.#speaking.clear()
  }

  #ask(): void {
    if (this.#buffer.isFull()) {
      this.#phase = 'full'
      return
    }
    this.#phase = 'asked'
    this.#caughtUp = false
    this.#takeBackPartials()
    this.#askId = this.#options.newFrameId()
    const start = this.#position.start()
    this.#carrier?.ask({ t: 'sub', id: this.#askId, c: this.conversationId, ...start })
  }

  #askLater(): void {
    this.#phase = 'later'
    const waitMs = fullJitterMs(this.#options.backoff, this.#stumbles - 1)
    this.#later = setTimeout(() => this.#ask(), waitMs)
  }

  #leave(): void {
    this.#phase = 'leaving'
    this.#askId = this.#options.newFrameId()
    this.#carrier?.leave({ t: 'unsub', id: this.#askId, c: this.conversationId })
  }

  /** Something is missing: again, from the last change that is known. */
  #stumble(): void {
    this.#stumbles += 1
    this.#leave()
  }

  #clearTimers(): void {
    clearTimeout(this.#later)
    clearTimeout(this.#missed)
    this.#missed = undefined
  }

  /** `by` the service: it has ended the subscription on its side. */
  #end(by: 'service' | 'consumer'): void {
    if (this.#phase === 'ended') return
    const subscribed = this.#phase === 'asked' || this.#phase === 'on'
    if (by === 'consumer' && subscribed) this.#leave()
    const confirms = by === 'consumer' && this.#phase === 'leaving'
    this.#phase = 'ended'
    this.#clearTimers()
    this.#options.signal?.removeEventListener('abort', this.#abort)
    this.#carrier?.release(confirms)
  }
}
