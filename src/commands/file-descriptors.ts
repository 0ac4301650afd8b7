/**
 * Checks and watches file descriptors. Each connection uses one. A process that has used all of
 * them refuses connections, and the runtime does not report it.
 */
import { closeSync, openSync, readFileSync } from 'node:fs'
import type { Config } from '../config.ts'
import type { Events } from '../events.ts'
import { StartRefusal } from '../ports/database.ts'

/**
 * Descriptors for the runtime, the data, the cache and the first clients, without the connections
 * to Postgres.
 */
const ownDescriptors = 64

/** Throws a `StartRefusal` if the process cannot open the connections that the settings allow. */
export function checkDescriptors({ database }: Config, limit = descriptorLimit()): void {
  const connections = database.url === undefined ? 0 : database.connectionsMax
  const needed = connections + ownDescriptors
  if (limit === undefined || limit >= needed) return
  throw new StartRefusal(
    `This process may open ${limit} files and connections, but needs ${needed}${
      connections === 0 ? '' : ` (database.connectionsMax is ${connections})`
    }: raise the limit, for example with ulimit -n ${recommendedLimit}.`,
  )
}

const recommendedLimit = 4096

/** Share of the limit above which a warning is logged. */
const warningShare = 0.9

/** Logs a warning every `everyMs` milliseconds while nearly all descriptors are in use. */
export function watchDescriptors(
  events: Pick<Events, 'descriptorsLow'>,
  everyMs = 10_000,
): Disposable {
  const limit = descriptorLimit()
  const timer = setInterval(() => {
    const used = descriptorsUsed() ?? limit ?? Number.POSITIVE_INFINITY
    if (used > (limit ?? Number.MAX_SAFE_INTEGER) * warningShare) events.descriptorsLow(used, limit)
  }, everyMs)
  timer.unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

/**
 * Estimates the number of descriptors in use: the system hands out the lowest free number. Returns
 * undefined if no descriptor is free.
 */
function descriptorsUsed(): number | undefined {
  try {
    const descriptor = openSync('/dev/null', 'r')
    closeSync(descriptor)
    return descriptor
  } catch {
    return undefined
  }
}

/** Returns the limit of the process, or undefined if the system does not report it. */
function descriptorLimit(): number | undefined {
  try {
    const [, limit] =
      /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return limit === undefined ? undefined : Number(limit)
  } catch {
    return undefined
  }
}
