/** What adapters tell of their servers -> events of the log. */
import type { Events } from './events.ts'

/** `type` is one of `DatabaseEventType` or `KvEventType`; `message` is one sentence without secrets. */
type AdapterEvent = { readonly type: string; readonly message: string }

/** What an operator should change; the others are only worth knowing. */
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

export function databaseEvents(events: Events, onMigrated: (message: string) => void) {
  return ({ type, message }: AdapterEvent): void => {
    if (type === 'unreachable') events.databaseLost(message)
    else if (type === 'reachable') events.databaseBack()
    else events.notice(warnings.has(type) ? 'warn' : 'info', message)
    if (type === 'migrated') onMigrated(message)
  }
}

export function cacheEvents(events: Events) {
  return ({ type, message }: AdapterEvent): void => {
    if (type === 'unreachable') events.cacheLost(message)
    else if (type === 'reachable') events.cacheBack()
    else if (type === 'deaf') events.cacheDeaf(message)
    else events.notice(warnings.has(type) ? 'warn' : 'info', message)
  }
}
