/**
 * EventBuffer holds events between a socket and a slower consumer. The code that fills it must stop when it is full.
 */
import type { LiveEvent } from './live-event.ts'

export type EventBuffer = {
  /** Adds an event. `characters` is its approximate size. */
  push(event: LiveEvent, characters: number): void
  /** Whether the filling code should stop until the buffer is drained. Events pushed all the same are stored. */
  isFull(): boolean
  /** Takes the oldest event, or waits for one. */
  next(): Promise<IteratorResult<LiveEvent, void>>
  /** Ends the iteration after the stored events. */
  end(): void
  /** Drops the stored events and ends the iteration, with `failure` if there is one. */
  stop(failure?: { readonly reason: unknown }): void
}

type Waiter = {
  readonly resolve: (result: IteratorResult<LiveEvent, void>) => void
  readonly reject: (reason: unknown) => void
}

export function createEventBuffer(options: {
  /** The characters at which the buffer is full. */
  readonly characters: number
  /** The number of events at which the buffer is full. */
  readonly events: number
  /** Called when the consumer has taken the last stored event. */
  readonly onDrained: () => void
}): EventBuffer {
  let items: { readonly event: LiveEvent; readonly characters: number }[] = []
  let waiters: Waiter[] = []
  let storedCharacters = 0
  let ended = false
  let failure: { readonly reason: unknown } | undefined

  const finish = () => {
    ended = true
    const unanswered = waiters
    waiters = []
    for (const { resolve, reject } of unanswered) {
      if (failure === undefined) resolve({ done: true, value: undefined })
      else reject(failure.reason)
      failure = undefined
    }
  }

  return {
    push(event, characters) {
      if (ended) return
      const waiter = waiters.shift()
      if (waiter !== undefined) return waiter.resolve({ done: false, value: event })
      // A newer partial of a speaker replaces the older one.
      if (event.type === 'partial')
        items = items.filter((item) => {
          const outdated = item.event.type === 'partial' && item.event.role === event.role
          if (outdated) storedCharacters -= item.characters
          return !outdated
        })
      items.push({ event, characters })
      storedCharacters += characters
    },
    isFull: () => storedCharacters >= options.characters || items.length >= options.events,
    async next() {
      const item = items.shift()
      if (item !== undefined) {
        storedCharacters -= item.characters
        if (items.length === 0) options.onDrained()
        return { done: false, value: item.event }
      }
      if (failure !== undefined) {
        const { reason } = failure
        failure = undefined
        throw reason
      }
      if (ended) return { done: true, value: undefined }
      return new Promise((resolve, reject) => waiters.push({ resolve, reject }))
    },
    end: finish,
    stop(cause) {
      if (ended) return
      items = []
      storedCharacters = 0
      failure = cause
      finish()
    },
  }
}
