/** The services that routes call. `server.ts` is given them and hands them to every route. */
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
  /** Where the database is, without secrets. */
  readonly databaseName: string
  /** Settles soon, whatever the database does; never rejects. */
  databaseState(): Promise<DatabaseState>
  /** Where the cache is, without secrets. */
  readonly cacheName: string
  /** `read-only`: the cache answers but takes no writes, so nothing is read from it. */
  cacheState(): 'up' | 'down' | 'read-only'
  /** Whether the service is about to stop and wants no more requests. */
  draining(): boolean
}

/** The router that routes are added to. */
export type Router = Elysia
