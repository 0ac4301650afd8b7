/**
 * Link is one connection and its users: it gives each frame to the user it is for. A conversation has one subscriber
 * on it, and a new one waits until the service has let go of the old one.
 */
import type { Problem } from '../../problem-error.ts'
import type { ServerFrame, SubFrame, UnsubFrame } from '../wire/client-frames.ts'
import { Connection, type ConnectionOptions } from './connection.ts'
import { type CreditGate, createCreditGate } from './credit-gate.ts'
import type { Recording, Subscriber } from './link-users.ts'

export type LinkOptions = Pick<
  ConnectionOptions,
  'url' | 'webSocket' | 'backoff' | 'handshakeMs' | 'onState' | 'refusal'
> & {
  readonly recording?: Recording
  /** The service takes fewer on a socket than were added: another link must have it. */
  readonly onCrowded: (subscriber: Subscriber) => void
}

/** What pairs a frame with the user it is for. */
type Named = { readonly id?: string; readonly c?: string }

/** Until the service has said how many it takes on a socket. */
const subscriptionsAssumed = 64
/** About what a `sub` weighs, bytes. */
const subBytes = 256

export class Link {
  readonly connection: Connection
  readonly #options: LinkOptions
  /** By conversation. */
  readonly #carried = new Map<string, Subscriber>()
  /** Ended here and not yet there, by the id of the `unsub`: what still comes is of the old subscriber. */
  readonly #leaving = new Map<string, string>()
  /** To be carried when the old one is gone. */
  readonly #next = new Map<string, Subscriber>()
  /** Of each conversation the `sub` that waits for room, and those that are not answered. */
  readonly #waiting = new Map<string, SubFrame>()
  readonly #unanswered = new Set<string>()
  /** The conversation of each `sub` and `unsub` by its id: a refusal may name the id alone. */
  readonly #asked = new Map<string, string>()
  /** Undefined while there is no connection that was welcomed. */
  #gate: CreditGate | undefined
  #subscriptionsMax = subscriptionsAssumed

  constructor(options: LinkOptions) {
    this.#options = options
    this.connection = new Connection({
      ...options,
      wanted: () => this.#size() > 0 || options.recording?.busy() === true,
      onFrame: (frame, length) => this.#receive(frame, length),
      onLost: () => this.#lost(),
      onRefused: (problem) => this.#refused(problem),
    })
  }

  /** False: the conversation has a subscriber here already, or there is no room. */
  add(subscriber: Subscriber): boolean {
    const c = subscriber.conversationId
    const isTaken = this.#carried.has(c) || this.#next.has(c)
    if (isTaken || this.#size() >= this.#subscriptionsMax) return false
    this.#attach(subscriber)
    const isLeaving = this.#leaving.has(c)
    const place = isLeaving ? this.#next : this.#carried
    place.set(c, subscriber)
    if (this.#gate === undefined) this.connection.open()
    else if (!isLeaving) subscriber.welcomed()
    return true
  }

  subscribers(): readonly Subscriber[] {
    return [...this.#carried.values(), ...this.#next.values()]
  }

  #size(): number {
    return this.#carried.size + this.#next.size
  }

  #attach(subscriber: Subscriber): void {
    const c = subscriber.conversationId
    let unsubId = ''
    subscriber.attach({
      ask: (frame) => {
        this.#waiting.set(c, frame)
        this.#pump()
      },
      leave: (frame) => {
        this.#waiting.delete(c)
        unsubId = frame.id
        this.#ask(frame)
      },
      release: (confirms) => {
        for (const place of [this.#carried, this.#next])
          if (place.get(c) === subscriber) place.delete(c)
        if (confirms && this.#gate !== undefined) this.#leaving.set(c, unsubId)
      },
    })
  }

  #pump(): void {
    for (const [c, frame] of this.#waiting) {
      if (this.#gate?.enter(subBytes) !== true) return
      this.#waiting.delete(c)
      this.#unanswered.add(c)
      this.#ask(frame)
    }
  }

  #ask(frame: SubFrame | UnsubFrame): void {
    this.#asked.set(frame.id, frame.c)
    this.connection.send(JSON.stringify(frame))
  }

  #answered(c: string): void {
    if (!this.#unanswered.delete(c)) return
    this.#gate?.leave(subBytes)
    this.#pump()
    this.#options.recording?.pump()
  }

  /** The service has let go of the conversation's old subscriber. */
  #gone(c: string): void {
    this.#leaving.delete(c)
    const subscriber = this.#next.get(c)
    if (subscriber === undefined) return
    this.#next.delete(c)
    this.#carried.set(c, subscriber)
    if (this.#gate !== undefined) subscriber.welcomed()
  }

  #receive(frame: ServerFrame, length: number): void {
    const { recording, onCrowded } = this.#options
    if (frame.t === 'welcome') {
      this.#gate = createCreditGate(frame.credit)
      this.#subscriptionsMax = frame.limits.subscriptions
      recording?.welcomed(this.#gate, frame.limits)
      const crowded = [...this.#carried].slice(this.#subscriptionsMax)
      for (const [c] of crowded) this.#carried.delete(c)
      for (const [, subscriber] of crowded) onCrowded(subscriber)
      for (const subscriber of [...this.#carried.values()]) subscriber.welcomed()
    } else if (frame.t === 'ping') {
      for (const [c, version] of Object.entries(frame.heads ?? {}))
        this.#carried.get(c)?.head(version)
    } else if (recording?.receive(frame) === true) this.#pump()
    else this.#toSubscriber(frame, length)
  }

  #toSubscriber(frame: ServerFrame, length: number): void {
    const { id = '', c = this.#asked.get(id) }: Pick<ServerFrame, 't'> & Named = frame
    if (c === undefined) return
    this.#asked.delete(id)
    // A problem without an id is of a partial, which has no other answer.
    const isRefusal = frame.t === 'problem' && id !== ''
    if (isRefusal || ['subscribed', 'unsubscribed', 'reset'].includes(frame.t)) this.#answered(c)
    const unsubId = this.#leaving.get(c)
    if (unsubId === undefined) this.#carried.get(c)?.receive(frame, length)
    else if (frame.t === 'unsubscribed' || (isRefusal && unsubId === id)) this.#gone(c)
  }

  #lost(): void {
    this.#gate = undefined
    this.#waiting.clear()
    this.#unanswered.clear()
    this.#asked.clear()
    for (const c of [...this.#leaving.keys()]) this.#gone(c)
    this.#options.recording?.lost()
    for (const subscriber of [...this.#carried.values()]) subscriber.lost()
  }

  #refused(problem: Problem): void {
    for (const subscriber of this.subscribers()) subscriber.fail(problem)
    this.#options.recording?.refused(problem)
  }
}
