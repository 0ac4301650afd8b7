/** The store under test, with short functions of the suites to write and to read. */
import { afterAll, beforeAll } from 'bun:test'
import type { Reader } from '../../../src/conversation/reading/reader.ts'
import type { Store } from '../../../src/conversation/store.ts'
import { Decoder } from '../../../src/conversation/wire/decode.ts'
import { localPrincipal as me } from '../../../src/conversation/wire/principal.ts'
import type { Message, NewTurn } from '../../../src/conversation/wire/schemas.ts'
import type { Commit } from '../../../src/conversation/writing/effects.ts'
import type { Database } from '../../../src/ports/database.ts'
import { type OpenStore, openStore, some } from '../../support/store.ts'

export { me }

export const decode = new Decoder({
  partsMax: 64,
  traceBytesMax: 65536,
  metadataBytesMax: 16384,
  jsonDepthMax: 32,
  urlsMax: 64,
  aheadSecondsMax: 300,
})

export const turn = (text: string, ...responses: string[]): NewTurn =>
  decode.turn({ user: { text }, assistant: { responses } })

export const aiTurn = (...responses: string[]): NewTurn => decode.turn({ assistant: { responses } })

type Recorded = Exclude<Awaited<ReturnType<Store['recordTurn']>>, null>

/** Every member is a function, because the store is opened only when the tests run. */
export type StoreSubject = {
  opened(): OpenStore
  store(): Store
  reader(): Reader
  /** Creates a conversation and returns its id. */
  conversation(): Promise<string>
  record(id: string, body: NewTurn, key?: string): Promise<Recorded>
  history(id: string): Promise<Message[]>
  commitsOf(id: string): Commit[]
}

/** Opens one store for the tests of the enclosing `describe`, and closes it after them. */
export function openSubject(openDatabase: () => Promise<Database>): StoreSubject {
  let openedStore: OpenStore
  beforeAll(async () => {
    openedStore = await openStore(await openDatabase())
  }, 60_000)
  afterAll(async () => {
    await openedStore[Symbol.asyncDispose]()
  })
  const opened = () => openedStore
  const store = () => openedStore.store
  const reader = () => openedStore.reader
  return {
    opened,
    store,
    reader,
    conversation: async () => (await store().createConversation(me, {})).conversation.id,
    record: async (id, body, key) => some(await store().recordTurn(me, id, body, key)),
    history: async (id) => (await reader().history(me, id, { last: 1000 })).messages,
    commitsOf: (id) => openedStore.commits.filter((commit) => commit.conversationId === id),
  }
}
