/** The heads of many conversations in the store, asked for together. */
import type { Kv, KvKey } from '../../ports/kv.ts'
import { historyKeys, isFull, isHead } from './rule.ts'

export type Heads = {
  /** The version of a full window, as of a moment after the call; 0 where there is none. */
  version(tenant: string, id: string): Promise<number>
}

/** Keys that one call takes. A full call goes at once; fewer wait while so many are in flight. */
const keysMax = 10
const lanes = 2

/** Callers that ask for the same share one answer, if they came before it was asked for. */
type Question = {
  readonly key: KvKey
  readonly answer: Promise<number>
  resolve(version: number): void
  reject(thrown: unknown): void
}

export function createHeads(kv: Kv): Heads {
  let waiting = new Map<string, Question>()
  let inFlight = 0
  let isScheduled = false

  // Who asks in the same round of the event loop asks together.
  const schedule = () => {
    if (isScheduled) return
    isScheduled = true
    setImmediate(() => {
      isScheduled = false
      pump()
    })
  }

  const pump = () => {
    while (waiting.size >= keysMax || (waiting.size > 0 && inFlight < lanes)) void send()
  }

  const send = async () => {
    const asked = [...waiting.values()].slice(0, keysMax)
    waiting = new Map([...waiting].slice(keysMax))
    inFlight += 1
    try {
      const entries = await kv.getMany<unknown[]>(asked.map(({ key }) => key))
      for (const [index, { resolve }] of asked.entries()) {
        const value = entries[index]?.value
        resolve(isHead(value) && isFull(value) ? value.version : 0)
      }
    } catch (thrown) {
      for (const { reject } of asked) reject(thrown)
    }
    inFlight -= 1
    pump()
  }

  return {
    version(tenant, id) {
      const name = `${tenant}/${id}`
      const asked = waiting.get(name)
      if (asked !== undefined) return asked.answer
      const { promise, resolve, reject } = Promise.withResolvers<number>()
      waiting.set(name, { key: historyKeys.head(tenant, id), answer: promise, resolve, reject })
      schedule()
      return promise
    },
  }
}
