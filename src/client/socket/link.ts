/**
 * Link is one connection and its users: one subscriber per conversation, and the sender of writes
 * (`recording`). It passes each frame to the user that it concerns. A new subscriber of a conversation waits until the service has confirmed the end of the
 * old one.
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
  /** Called with each subscriber above the service's limit for one socket: another link must serve it. */
  readonly onCrowded: (subscriber: Subscriber) => void
}

/** The members of a frame that name the user that it concerns. */
type Named = { readonly id?: string; readonly c?: string }

/** Subscriptions allowed on a socket until the service has named its limit. */
const subscriptionsAssumed = 64
/** The approximate size of a `sub` frame in bytes. */
const subBytes = 256

export class Link {
  readonly connection: Connection
  readonly #options: LinkOptions
  /** The subscriber of each conversation. */
  readonly #users = new Map<string, Subscriber>()
  /**
   * For each conversation whose subscription is ending, the id of its `unsub` frame. Frames of the conversation
   * are dropped until the service confirms the end.
   */
  readonly #ending = new Map<string, string>()
  /** The subscribers that wait for the end of their conversation's old subscriber. */
  readonly #successors = new Map<string, Subscriber>()
  /** The `sub` frame of each conversation that waits for credit. */
  readonly #waiting = new Map<string, SubFrame>()
  /** The conversations whose `sub` frame has no answer yet. */
  readonly #unanswered = new Set<string>()
  /** The conversation of each sent `sub` and `unsub` frame, by the frame's id: a refusal may have only the id. */
  readonly #sentFor = new Map<string, string>()
  /** Undefined before the welcome and after a loss of the connection. */
  #gate: CreditGate | undefined
  #subscriptionsMax = subscriptionsAssumed

  constructor(options: LinkOptions) {
    this.#options = options
    this.connection = new Connection({
      ...options,
      isWanted: () => this.#size() > 0 || options.recording?.busy() === true,
      onFrame: (frame, length) => this.#receive(frame, length),
      onLost: () => this.#lost(),
      onRefused: (problem) => this.#refused(problem),
    })
  }

  /** Adds a subscriber. Returns false if its conversation already has one here, or if the link is full. */
  add(subscriber: Subscriber): boolean {
    const { conversationId } = subscriber
    const isTaken = this.#users.has(conversationId) || this.#successors.has(conversationId)
    if (isTaken || this.#size() >= this.#subscriptionsMax) return false
    this.#attach(subscriber)
    const isEnding = this.#ending.has(conversationId)
    const target = isEnding ? this.#successors : this.#users
    target.set(conversationId, subscriber)
    if (this.#gate === undefined) this.connection.open()
    else if (!isEnding) subscriber.welcomed()
    return true
  }

  subscribers(): readonly Subscriber[] {
    return [...this.#users.values(), ...this.#successors.values()]
  }

  #size(): number {
    return this.#users.size + this.#successors.size
  }

  #attach(subscriber: Subscriber): void {
    const { conversationId } = subscriber
    let unsubId = ''
    subscriber.attach({
      ask: (frame) => {
        this.#waiting.set(conversationId, frame)
        this.#pump()
      },
      leave: (frame) => {
        this.#waiting.delete(conversationId)
        unsubId = frame.id
        this.#ask(frame)
      },
      release: (awaitsUnsubscribed) => {
        for (const group of [this.#users, this.#successors])
          if (group.get(conversationId) === subscriber) group.delete(conversationId)
        if (awaitsUnsubscribed && this.#gate !== undefined)
          this.#ending.set(conversationId, unsubId)
      },
    })
  }

  #pump(): void {
    for (const [conversationId, frame] of this.#waiting) {
      if (this.#gate?.enter(subBytes) !== true) return
      this.#waiting.delete(conversationId)
      this.#unanswered.add(conversationId)
      this.#ask(frame)
    }
  }

  /** Sends a `sub` or `unsub` frame, and remembers which conversation its id belongs to. */
  #ask(frame: SubFrame | UnsubFrame): void {
    this.#sentFor.set(frame.id, frame.c)
    this.connection.send(JSON.stringify(frame))
  }

  /** Frees the credit of a `sub` frame once `subscribed`, `reset` or a problem answers it, or its end is confirmed. */
  #answered(conversationId: string): void {
    if (!this.#unanswered.delete(conversationId)) return
    this.#gate?.leave(subBytes)
    this.#pump()
    this.#options.recording?.pump()
  }

  /**
   * Ends the wait for the old subscriber (its end is confirmed or refused, or the connection is lost), and
   * starts its successor, if there is one.
   */
  #startSuccessor(conversationId: string): void {
    this.#ending.delete(conversationId)
    const subscriber = this.#successors.get(conversationId)
    if (subscriber === undefined) return
    this.#successors.delete(conversationId)
    this.#users.set(conversationId, subscriber)
    if (this.#gate !== undefined) subscriber.welcomed()
  }

  #receive(frame: ServerFrame, length: number): void {
    const { recording, onCrowded } = this.#options
    if (frame.t === 'welcome') {
      this.#gate = createCreditGate(frame.credit)
      this.#subscriptionsMax = frame.limits.subscriptions
      recording?.welcomed(this.#gate, frame.limits)
      const crowded = [...this.#users].slice(this.#subscriptionsMax)
      for (const [conversationId] of crowded) this.#users.delete(conversationId)
      for (const [, subscriber] of crowded) onCrowded(subscriber)
      for (const subscriber of [...this.#users.values()]) subscriber.welcomed()
    } else if (frame.t === 'ping') {
      for (const [conversationId, version] of Object.entries(frame.heads ?? {}))
        this.#users.get(conversationId)?.head(version)
    } else if (recording?.receive(frame) === true) this.#pump()
    else this.#toSubscriber(frame, length)
  }

  #toSubscriber(frame: ServerFrame, length: number): void {
    const { id = '', c = this.#sentFor.get(id) }: Pick<ServerFrame, 't'> & Named = frame
    if (c === undefined) return
    this.#sentFor.delete(id)
    // Partials have no id, so a problem without an id refuses a partial.
    const isRefusal = frame.t === 'problem' && id !== ''
    if (isRefusal || ['subscribed', 'unsubscribed', 'reset'].includes(frame.t)) this.#answered(c)
    const unsubId = this.#ending.get(c)
    if (unsubId === undefined) this.#users.get(c)?.receive(frame, length)
    else if (frame.t === 'unsubscribed' || (isRefusal && unsubId === id)) this.#startSuccessor(c)
  }

  #lost(): void {
    this.#gate = undefined
    this.#waiting.clear()
    this.#unanswered.clear()
    this.#sentFor.clear()
    for (const conversationId of [...this.#ending.keys()]) this.#startSuccessor(conversationId)
    this.#options.recording?.lost()
    for (const subscriber of [...this.#users.values()]) subscriber.lost()
  }

  #refused(problem: Problem): void {
    for (const subscriber of this.subscribers()) subscriber.fail(problem)
    this.#options.recording?.connectionRefused(problem)
  }
}
