/** Events between a socket and a consumer that may be slower. Bounded by whoever fills it. */
import type { LiveEvent } from './live-event.ts'

export type EventBuffer = {
  /** `characters`: about what it occupies. */
  push(event: LiveEvent, characters: number): void
  /** Nothing more should be pushed until it is drained; what is pushed all the same is kept. */
  isFull(): boolean
  next(): Promise<IteratorResult<LiveEvent, void>>
  /** What is in it is still given, then the iteration ends. */
  end(): void
  /** What is in it is dropped; the iteration ends, with `failure` where there is one. */
  stop(failure?: { readonly reason: unknown }): void
}

type Waiter = {
  readonly resolve: (result: IteratorResult<LiveEvent, void>) => void
  readonly reject: (reason: unknown) => void
}

/** `onDrained`: the consumer has taken the last one. */
export function createEventBuffer(options: {
  readonly characters: number
  readonly events: number
  readonly onDrained: () => void
}): EventBuffer {
  let items: { readonly event: LiveEvent; readonly characters: number }[] = []
  let waiters: Waiter[] = []
  let held = 0
  let ended = false
  let failure: { readonly reason: unknown } | undefined

  const finish = () => {
    ended = true
    const left = waiters
    waiters = []
    for (const { resolve, reject } of left) {
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
      // Of a speaker's words that are not durable, only the latest are of use.
      if (event.type === 'partial')
        items = items.filter((item) => {
          const outdated = item.event.type === 'partial' && item.event.role === event.role
          if (outdated) held -= item.characters
          return !outdated
        })
      items.push({ event, characters })
      held += characters
    },
    isFull: () => held >= options.characters || items.length >= options.events,
    async next() {
      const item = items.shift()
      if (item !== undefined) {
        held -= item.characters
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
    stop(why) {
      if (ended) return
      items = []
      held = 0
      failure = why
      finish()
    },
  }
}
