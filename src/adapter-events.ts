/** Turns the events that adapters report about their servers into log events. */
import type { Events } from './events.ts'

/**
 * `type` is one of `DatabaseEventType` or `KvEventType`; `message` is one sentence without secrets.
 */
type AdapterEvent = { readonly type: string; readonly message: string }

/** Event types that need an operator's action: they are logged as `warn`, all others as `info`. */
const warnings = new Set([
  'unsafe',
  'stuck',
  'stale',
  'ended',
  'unopened',
  'unanalysed',
  'hints-lost',
  'mistaken',
])

/**
 * The listener for the events of the database adapter.
 * @param onMigrated called after a migration has changed the tables, with a sentence that says how
 */
export function databaseEvents(events: Events, onMigrated: (message: string) => void) {
  return ({ type, message }: AdapterEvent): void => {
    if (type === 'unreachable') events.databaseLost(message)
    else if (type === 'reachable') events.databaseBack()
    else events.notice(warnings.has(type) ? 'warn' : 'info', message)
    if (type === 'migrated') onMigrated(message)
  }
}

/** The listener for the events of the KV adapter. */
export function cacheEvents(events: Events) {
  return ({ type, message }: AdapterEvent): void => {
    if (type === 'unreachable') events.cacheLost(message)
    else if (type === 'reachable') events.cacheBack()
    else if (type === 'deaf') events.cacheDeaf(message)
    else events.notice(warnings.has(type) ? 'warn' : 'info', message)
  }
}
