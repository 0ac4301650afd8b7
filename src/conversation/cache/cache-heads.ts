/** CacheHeads asks for the heads of many conversations in the KV together. */
import { Batcher } from '../../mechanics/batcher.ts'
import type { Kv } from '../../ports/kv.ts'
import { conversationName, kvKeys } from '../wire/kv-keys.ts'
import { isFull, isHead } from './rule.ts'

/** The most keys that one call takes. */
const keysMax = 10
/** A call with fewer keys waits while this many are in flight; a full one goes at once. */
const maxInFlight = 2

type Named = { readonly tenant: string; readonly id: string }

export class CacheHeads {
  readonly #batcher: Batcher<Named, number>

  constructor(kv: Kv) {
    this.#batcher = new Batcher<Named, number>({
      maxInFlight,
      maxFullInFlight: Number.POSITIVE_INFINITY,
      batchMax: keysMax,
      roundsMax: 1,
      nameOf: ({ tenant, id }) => conversationName(tenant, id),
      async ask(named) {
        const keys = named.map(({ tenant, id }) => kvKeys.head(tenant, id))
        const entries = await kv.getMany<unknown[]>(keys)
        return entries.map(({ value }) => (isHead(value) && isFull(value) ? value.version : 0))
      },
    })
  }

  /** The version of a full window, as of a moment after the call; 0 where there is none. */
  version(tenant: string, id: string): Promise<number> {
    return this.#batcher.ask({ tenant, id })
  }
}
