/**
 * Subscription follows one conversation: it yields every change once and in order, over any number of connections.
 * Its position is that of the last change it put into the buffer. After a gap, a full buffer or a lost connection it
 * subscribes again from there.
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
  /** Characters that may wait for the consumer. Above that number, the subscription sends an `unsub` frame. */
  readonly bufferCharacters: number
  readonly newFrameId: () => string
  readonly signal: AbortSignal | undefined
  /** Called when the consumer asks for its first event. It brings the subscription to a connection. */
  readonly onStart: (subscription: Subscriber) => void
}

/** Events that may wait for the consumer, whatever their size. */
const bufferEventsMax = 1000
/** Milliseconds without progress after which a pinged version that was not reached counts as missed. */
const missedMs = 2000

/**
 * The phase of a subscription.
 *
 * - `off`: there is no connection.
 * - `sub`: a `sub` was sent and has no answer.
 * - `on`: changes arrive.
 * - `unsub`: an `unsub` was sent and has no answer.
 * - `full`: unsubscribed until the consumer has caught up.
 * - `later`: unsubscribed until a timer subscribes again.
 * - `ended`: the iteration is over.
 */
type Phase = 'off' | 'sub' | 'on' | 'unsub' | 'full' | 'later' | 'ended'

export class Subscription implements Subscriber, AsyncIterableIterator<LiveEvent, void, void> {
  readonly conversationId: string
  readonly #options: SubscriptionOptions
  readonly #position: Position
  readonly #buffer: EventBuffer
  #phase: Phase = 'off'
  #isStarted = false
  #carrier: Carrier | undefined
  /** The id of the last `sub` or `unsub`. Answers to older ones are ignored. */
  #askId = ''
  /** Whether a `live` frame has arrived since the last `sub`. */
  #caughtUp = false
  /** The speakers whose partial the consumer shows. */
  readonly #speaking = new Set<Role>()
  /** Attempts to subscribe since the last progress. */
  #attempts = 0
  /** The timer that subscribes again. */
  #later: ReturnType<typeof setTimeout> | undefined
  /** The timer of a pinged version that was not reached yet. */
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

  /** The next event. It is a property, so that it works unbound. */
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
    this.#dropPartials()
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
    const reached = this.#position.version
    const isReached = reached === undefined || version <= reached
    if (this.#phase !== 'on' || !this.#caughtUp || isReached) return
    this.#missed ??= setTimeout(() => {
      this.#missed = undefined
      if (this.#phase === 'on' && this.#position.version === reached) this.#restart()
    }, missedMs)
  }

  fail(reason: unknown): void {
    this.#end('consumer')
    this.#buffer.stop({ reason })
  }

  readonly #abort = () => this.fail(this.#options.signal?.reason)

  /** Takes the answer to the last `sub` or `unsub`. */
  #answer(frame: ServerFrame): void {
    if (this.#phase === 'unsub' && frame.t === 'unsubscribed') {
      if (this.#attempts > 1) this.#askLater()
      else this.#ask()
    } else if (this.#phase === 'sub' && frame.t === 'subscribed') {
      this.#phase = 'on'
      this.#position.confirm(frame.cursor)
    } else if (/^(un)?sub$/.test(this.#phase) && frame.t === 'problem') {
      const problem = Problem.received(frame)
      this.#attempts += 1
      if (problem.retryable) this.#askLater()
      else {
        this.#end('service')
        this.#buffer.stop({ reason: problem })
      }
    }
  }

  #event(frame: ServerFrame, length: number): void {
    if (frame.t === 'change') {
      const event = this.#position.accept(frame)
      if (event === 'gap') this.#restart()
      else if (event !== 'old') this.#progress(event, length)
    } else if (frame.t === 'live') {
      if (this.#position.reach(frame.version)) {
        this.#caughtUp = true
        this.#progress({ type: 'live', version: this.#position.version ?? frame.version }, 0)
      } else this.#restart()
    } else if (frame.t === 'partial') {
      const { role, text } = frame
      this.#speaking[text === '' ? 'delete' : 'add'](role)
      this.#buffer.push({ type: 'partial', role, text }, length)
    }
  }

  #progress(event: LiveEvent, length: number): void {
    this.#attempts = 0
    this.#buffer.push(event, length)
    if (event.type === 'change' && this.#buffer.isFull()) this.#leave()
  }

  /** Removes the partials that the consumer shows: without a subscription, no frame would remove them. */
  #dropPartials(): void {
    for (const role of this.#speaking) this.#buffer.push({ type: 'partial', role, text: '' }, 0)
    this.#speaking.clear()
  }

  #ask(): void {
    if (this.#buffer.isFull()) {
      this.#phase = 'full'
      return
    }
    this.#phase = 'sub'
    this.#caughtUp = false
    this.#dropPartials()
    this.#askId = this.#options.newFrameId()
    const start = this.#position.start()
    this.#carrier?.ask({ t: 'sub', id: this.#askId, c: this.conversationId, ...start })
  }

  #askLater(): void {
    this.#phase = 'later'
    const waitMs = fullJitterMs(this.#options.backoff, this.#attempts - 1)
    this.#later = setTimeout(() => this.#ask(), waitMs)
  }

  #leave(): void {
    this.#phase = 'unsub'
    this.#askId = this.#options.newFrameId()
    this.#carrier?.leave({ t: 'unsub', id: this.#askId, c: this.conversationId })
  }

  /** Subscribes again from the last accepted change, because a later one is missing. */
  #restart(): void {
    this.#attempts += 1
    this.#leave()
  }

  #clearTimers(): void {
    clearTimeout(this.#later)
    clearTimeout(this.#missed)
    this.#missed = undefined
  }

  /** Ends the subscription. `by` is the side that ended it: if it was the service, no `unsub` is sent. */
  #end(by: 'service' | 'consumer'): void {
    if (this.#phase === 'ended') return
    const subscribed = this.#phase === 'sub' || this.#phase === 'on'
    if (by === 'consumer' && subscribed) this.#leave()
    const awaitsUnsubscribed = by === 'consumer' && this.#phase === 'unsub'
    this.#phase = 'ended'
    this.#clearTimers()
    this.#options.signal?.removeEventListener('abort', this.#abort)
    this.#carrier?.release(awaitsUnsubscribed)
  }
}
