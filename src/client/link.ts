/** One connection and those who use it: frames go to whom they are for. A conversation has one subscription on it. */

import type { Problem } from '../problem.ts'
import { type Connection, type ConnectionOptions, createConnection } from './connection.ts'
import type { Credit, Limits, ServerFrame } from './frames.ts'
import type { Subscription } from './subscription.ts'

/** What is recorded over a link. */
export type Recording = {
  welcomed(credit: Credit, limits: Limits): void
  lost(): void
  /** False: the frame is not for it. */
  receive(frame: ServerFrame): boolean
  refused(problem: Problem): void
  /** Whether something waits for the service. */
  busy(): boolean
}

export type LinkOptions = Pick<
  ConnectionOptions,
  'url' | 'webSocket' | 'backoff' | 'handshakeMs' | 'onState'
> & { readonly recording?: Recording }

export type Link = Connection & {
  /** False: the conversation has a subscription here already, or there is no room. */
  add(subscription: Subscription): boolean
  subscriptions(): readonly Subscription[]
}

/** Until the service has said how many it takes on a socket. */
const subscriptionsAssumed = 64

export function createLink({ recording, ...options }: LinkOptions): Link {
  const carried = new Map<string, Subscription>()
  /** Ended here and not yet there: what still comes is of the old subscription. */
  const leaving = new Set<string>()
  /** To be carried when the old one is gone. */
  const next = new Map<string, Subscription>()
  let open = false
  let room = subscriptionsAssumed

  const attach = (subscription: Subscription) => {
    const c = subscription.conversationId
    subscription.attach({
      send: (frame) => connection.send(frame),
      release(confirms) {
        if (carried.get(c) === subscription) carried.delete(c)
        if (next.get(c) === subscription) next.delete(c)
        if (confirms && open) leaving.add(c)
      },
    })
  }

  const gone = (c: string) => {
    leaving.delete(c)
    const subscription = next.get(c)
    if (subscription === undefined) return
    next.delete(c)
    carried.set(c, subscription)
    if (open) subscription.welcomed()
  }

  const subscriptions = () => [...carried.values(), ...next.values()]

  const onFrame = (frame: ServerFrame, length: number) => {
    if (frame.t === 'welcome') {
      open = true
      recording?.welcomed(frame.credit, frame.limits)
      room = frame.limits.subscriptions
      for (const subscription of [...carried.values()]) subscription.welcomed()
    } else if (frame.t === 'ping') {
      for (const [c, version] of Object.entries(frame.heads ?? {})) carried.get(c)?.head(version)
    } else if (recording?.receive(frame) !== true) {
      const c = 'c' in frame ? frame.c : undefined
      if (c !== undefined && leaving.has(c)) {
        if (['unsubscribed', 'reset', 'problem'].includes(frame.t)) gone(c)
      } else if (frame.t === 'problem')
        [...carried.values()].find((each) => each.askId() === frame.id)?.receive(frame, length)
      else if (c !== undefined) carried.get(c)?.receive(frame, length)
    }
  }

  const connection = createConnection({
    ...options,
    wanted: () => carried.size + next.size > 0 || recording?.busy() === true,
    onFrame,
    onLost() {
      open = false
      for (const c of [...leaving]) gone(c)
      recording?.lost()
      for (const subscription of carried.values()) subscription.lost()
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
      ;(leaving.has(c) ? next : carried).set(c, subscription)
      if (!open) connection.open()
      else if (carried.has(c)) subscription.welcomed()
      return true
    },
    subscriptions,
  }
}
