/** The services that routes call. `server.ts` passes them to every route. */
import type { Elysia } from 'elysia'
import type { Config } from '../config.ts'
import type { Histories } from '../conversation/histories.ts'
import type { Reader } from '../conversation/reading/reader.ts'
import type { Store } from '../conversation/store.ts'
import type { Decoder } from '../conversation/wire/decode.ts'
import type { DatabaseState } from '../conversation/writing/probe.ts'
import type { Events } from '../events.ts'
import type { AccessSettings } from './request/access.ts'
import type { RequestLogOptions } from './request/request-log.ts'

export type Services = {
  readonly store: Store
  readonly reader: Reader
  readonly histories: Histories
  readonly decoder: Decoder
  readonly events: Events
  readonly health: Health
  readonly limits: Config['limits']
  readonly live: { draining(): boolean }
  readonly access: AccessSettings
  readonly log: RequestLogOptions
}

/** The state that `/readyz` reports. */
export type Health = {
  /** The address of the database, without secrets. */
  readonly databaseName: string
  /** Resolves within about a second, even if the database hangs. It never rejects. */
  databaseState(): Promise<DatabaseState>
  /** The address of the cache, without secrets. */
  readonly cacheName: string
  /**
   * `read-only`: the cache answers but refuses writes, so the service does not read from it either.
   */
  cacheState(): 'up' | 'down' | 'read-only'
  /** Whether the service is about to stop. Load balancers should send it no more requests then. */
  draining(): boolean
}

/** The router that routes are added to. */
export type Router = Elysia
