/** The heads of many conversations in the store, asked for together. */
import type { Kv, KvKey } from '../ports/kv.ts'
import { historyKeys, isFull, isHead } from './cache-rule.ts'

export type Heads = {
  /** The version of a full window, as of a moment after the call; 0 where there is none. */
  version(tenant: string, id: string): Promise<number>
}

/** Calls in flight; who comes meanwhile goes with the next, or as soon as a call is full. */
const lanes = 2
/** Keys that one call takes. */
const keysMax = 10

type Question = {
  readonly key: KvKey
  resolve(version: number): void
  reject(thrown: unknown): void
}

export function createHeads(kv: Kv): Heads {
  let waiting: Question[] = []
  let inFlight = 0

  const send = async () => {
    const asked = waiting.slice(0, keysMax)
    waiting = waiting.slice(keysMax)
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
    if (waiting.length > 0 && inFlight < lanes) void send()
  }

  return {
    version: (tenant, id) =>
      new Promise((resolve, reject) => {
        waiting.push({ key: historyKeys.head(tenant, id), resolve, reject })
        if (inFlight < lanes || waiting.length >= keysMax) void send()
      }),
  }
}
