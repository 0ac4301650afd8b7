/**
 * One connection and those who use it: frames go to whom they are for. A conversation has one
 * subscription on it, and a new one waits until the service has let go of the old one.
 */
import type { Problem } from '../../problem.ts'
import type { Subscription } from '../following/subscription.ts'
import type { Limits, ServerFrame, SubFrame, UnsubFrame } from '../wire/client-frames.ts'
import { type Connection, type ConnectionOptions, createConnection } from './connection.ts'
import { type CreditGate, createCreditGate } from './credit-gate.ts'

/** What is recorded over a link. */
export type Recording = {
  welcomed(gate: CreditGate, limits: Limits): void
  /** There may be room at the gate. */
  pump(): void
  lost(): void
  /** False: the frame is not for it. */
  receive(frame: ServerFrame): boolean
  refused(problem: Problem): void
  /** Whether something waits for the service. */
  busy(): boolean
}

export type LinkOptions = Pick<
  ConnectionOptions,
  'url' | 'webSocket' | 'backoff' | 'handshakeMs' | 'onState' | 'refusal'
> & {
  readonly recording?: Recording
  /** The service takes fewer on a socket than were added: another link must have it. */
  readonly onCrowded: (subscription: Subscription) => void
}

/** What pairs a frame with those who wait for it. */
type Named = { readonly id?: string; readonly c?: string }

export type Link = Connection & {
  /** False: the conversation has a subscription here already, or there is no room. */
  add(subscription: Subscription): boolean
  subscriptions(): readonly Subscription[]
}

/** Until the service has said how many it takes on a socket. */
const subscriptionsAssumed = 64
/** About what a `sub` weighs, bytes. */
const subBytes = 256

export function createLink({ recording, ...options }: LinkOptions): Link {
  const carried = new Map<string, Subscription>()
  /** Ended here and not yet there, by the id of the `unsub`: what still comes is of the old subscription. */
  const leaving = new Map<string, string>()
  /** To be carried when the old one is gone. */
  const next = new Map<string, Subscription>()
  /** Of each conversation the `sub` that waits for room, and those that are not answered. */
  const waiting = new Map<string, SubFrame>()
  const unanswered = new Set<string>()
  /** The conversation of each `sub` and `unsub` by its id: a refusal may name the id alone. */
  const asked = new Map<string, string>()
  let gate: CreditGate | undefined
  let room = subscriptionsAssumed

  const pump = () => {
    for (const [c, frame] of waiting) {
      if (gate?.enter(subBytes) !== true) return
      waiting.delete(c)
      unanswered.add(c)
      ask(frame)
    }
  }

  const ask = (frame: SubFrame | UnsubFrame) => {
    asked.set(frame.id, frame.c)
    connection.send(JSON.stringify(frame))
  }

  const answered = (c: string) => {
    if (!unanswered.delete(c)) return
    gate?.leave(subBytes)
    pump()
    recording?.pump()
  }

  const attach = (subscription: Subscription) => {
    const c = subscription.conversationId
    let unsubId = ''
    subscription.attach({
      ask(frame) {
        waiting.set(c, frame)
        pump()
      },
      leave(frame) {
        waiting.delete(c)
        unsubId = frame.id
        ask(frame)
      },
      release(confirms) {
        if (carried.get(c) === subscription) carried.delete(c)
        if (next.get(c) === subscription) next.delete(c)
        if (confirms && gate !== undefined) leaving.set(c, unsubId)
      },
    })
  }

  const gone = (c: string) => {
    leaving.delete(c)
    const subscription = next.get(c)
    if (subscription === undefined) return
    next.delete(c)
    carried.set(c, subscription)
    if (gate !== undefined) subscription.welcomed()
  }

  const subscriptions = () => [...carried.values(), ...next.values()]

  const toSubscription = (frame: ServerFrame, length: number) => {
    const { id = '', c = asked.get(id) }: Pick<ServerFrame, 't'> & Named = frame
    if (c === undefined) return
    asked.delete(id)
    // A problem without an id is of a partial, which has no other answer.
    const isRefusal = frame.t === 'problem' && id !== ''
    if (isRefusal || ['subscribed', 'unsubscribed', 'reset'].includes(frame.t)) answered(c)
    if (leaving.has(c)) {
      if (frame.t === 'unsubscribed' || (isRefusal && leaving.get(c) === id)) gone(c)
    } else carried.get(c)?.receive(frame, length)
  }

  const onFrame = (frame: ServerFrame, length: number) => {
    if (frame.t === 'welcome') {
      gate = createCreditGate(frame.credit)
      room = frame.limits.subscriptions
      recording?.welcomed(gate, frame.limits)
      const crowded = [...carried].slice(room)
      for (const [c] of crowded) carried.delete(c)
      for (const [, subscription] of crowded) options.onCrowded(subscription)
      for (const subscription of [...carried.values()]) subscription.welcomed()
    } else if (frame.t === 'ping') {
      for (const [c, version] of Object.entries(frame.heads ?? {})) carried.get(c)?.head(version)
    } else if (recording?.receive(frame) === true) pump()
    else toSubscription(frame, length)
  }

  const connection = createConnection({
    ...options,
    wanted: () => carried.size + next.size > 0 || recording?.busy() === true,
    onFrame,
    onLost() {
      gate = undefined
      waiting.clear()
      unanswered.clear()
      asked.clear()
      for (const c of [...leaving.keys()]) gone(c)
      recording?.lost()
      for (const subscription of [...carried.values()]) subscription.lost()
    },
    onRefused(problem) {
      for (const subscription of subscriptions()) subscription.fail(problem)
      recording?.refused(problem)
    },
  })

  return {
    ...connection,
    add(subscription) {
      const c = subscription.conversationId
      if (carried.has(c) || next.has(c) || carried.size + next.size >= room) return false
      attach(subscription)
      const isLeaving = leaving.has(c)
      if (isLeaving) next.set(c, subscription)
      else carried.set(c, subscription)
      if (gate === undefined) connection.open()
      else if (!isLeaving) subscription.welcomed()
      return true
    },
    subscriptions,
  }
}
