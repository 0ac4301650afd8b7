/** CacheHeads reads the heads of many conversations from the KV in one call. */
import { Batcher } from '../../mechanics/batcher.ts'
import type { Kv } from '../../ports/kv.ts'
import { conversationName, kvKeys } from '../wire/kv-keys.ts'
import { isFull, isHead } from './rule.ts'

/** The most keys in one call. */
const keysMax = 10
/** A call that is not full waits while two are in flight. A full call is sent at once. */
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
