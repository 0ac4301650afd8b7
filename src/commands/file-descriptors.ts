/**
 * File descriptors: every connection takes one, and a process without any left refuses callers in
 * silence, for the runtime does not tell.
 */
import { closeSync, openSync, readFileSync } from 'node:fs'
import type { Config } from '../config.ts'
import type { Events } from '../events.ts'
import { StartRefusal } from '../ports/database.ts'

/** Descriptors for the runtime, the data, the cache and the first callers, beside the connections to Postgres. */
const ownDescriptors = 64

/** Refuses a start that could not have the connections that the settings allow. */
export function checkDescriptors({ database }: Config, limit = descriptorLimit()): void {
  const connections = database.url === undefined ? 0 : database.connectionsMax
  const needed = connections + ownDescriptors
  if (limit === undefined || limit >= needed) return
  throw new StartRefusal(
    `This process may open ${limit} files and connections, and needs ${needed}${
      connections === 0 ? '' : ` for database.connectionsMax of ${connections}`
    }: raise the limit (ulimit -n ${roomy}).`,
  )
}

const roomy = 4096

/** The share of the limit in use from which on a warning is logged. */
const lowFrom = 0.9

/** Logs a warning when nearly all descriptors are in use. */
export function watchDescriptors(
  events: Pick<Events, 'descriptorsLow'>,
  everyMs = 10_000,
): Disposable {
  const limit = descriptorLimit()
  const timer = setInterval(() => {
    const used = descriptorsUsed() ?? limit ?? Number.POSITIVE_INFINITY
    if (used > (limit ?? Number.MAX_SAFE_INTEGER) * lowFrom) events.descriptorsLow(used, limit)
  }, everyMs)
  timer.unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

/** About how many descriptors are in use: the system hands out the lowest free number. Undefined where none is left. */
function descriptorsUsed(): number | undefined {
  try {
    const descriptor = openSync('/dev/null', 'r')
    closeSync(descriptor)
    return descriptor
  } catch {
    return undefined
  }
}

/** The limit of the process; undefined where the system does not tell it. */
function descriptorLimit(): number | undefined {
  try {
    const [, limit] =
      /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return limit === undefined ? undefined : Number(limit)
  } catch {
    return undefined
  }
}
