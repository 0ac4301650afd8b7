/** CacheHeads reads the heads of many conversations from the KV in one call. */
import { Batcher } from '../../mechanics/batcher.ts'
import type { Kv } from '../../ports/kv.ts'
import { conversationName, kvKeys } from '../wire/kv-keys.ts'
import { isFull, isHead } from './rule.ts'

/** The maximum number of keys in one call. */
const keysMax = 10
/** A call with fewer keys than `keysMax` waits while two calls are in flight. A full one does not. */
const maxInFlight = 2

type ConversationKey = { readonly tenant: string; readonly id: string }

export class CacheHeads {
  readonly #batcher: Batcher<ConversationKey, number>

  constructor(kv: Kv) {
    this.#batcher = new Batcher<ConversationKey, number>({
      maxInFlight,
      maxFullInFlight: Number.POSITIVE_INFINITY,
      batchMax: keysMax,
      roundsMax: 1,
      nameOf: ({ tenant, id }) => conversationName(tenant, id),
      async ask(conversations) {
        const keys = conversations.map(({ tenant, id }) => kvKeys.head(tenant, id))
        const entries = await kv.getMany<unknown[]>(keys)
        return entries.map(({ value }) => (isHead(value) && isFull(value) ? value.version : 0))
      },
    })
  }

  /** Returns the version of the full window, as of a moment after the call; 0 if there is none. */
  version(tenant: string, id: string): Promise<number> {
    return this.#batcher.ask({ tenant, id })
  }
}
