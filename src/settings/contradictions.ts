/** Finds settings that are valid one by one but contradict each other. */
import { type Config, type SettingPath, settingList, settingValue } from './setting-list.ts'
import type { ConfigProblem } from './sources.ts'

/** A rule for two settings: `low` must be below `high`, or may equal it. */
type Order = {
  readonly low: SettingPath
  readonly high: SettingPath
  readonly mayEqual: boolean
  /** The rule holds only if `low` is set: a default that exceeds a lowered bound does no harm. */
  readonly ifSet?: true
}

const orders: readonly Order[] = [
  // Otherwise a locked conversation would look like a lost database.
  { low: 'database.lockTimeoutMs', high: 'database.deadlineMs', mayEqual: false },
  // Otherwise an allowed turn could never be queued.
  { low: 'limits.turnBytesMax', high: 'writes.waitingBytesMax', mayEqual: true },
  // Otherwise metadata of an allowed size would fit into no turn.
  {
    low: 'limits.metadataBytesMax',
    high: 'limits.turnBytesMax',
    mayEqual: true,
    ifSet: true,
  },
  // Otherwise a client that is a little behind would be disconnected at once.
  { low: 'live.bufferSoftBytes', high: 'live.bufferHardBytes', mayEqual: false },
]

/**
 * Returns the contradictions in a configuration. `sources` names where each setting was set.
 * `isProduction` says whether NODE_ENV is `production`.
 */
export function contradictions(
  config: Config,
  sources: ReadonlyMap<SettingPath, string>,
  isProduction: boolean,
): ConfigProblem[] {
  const sourceOf = (path: SettingPath) => sources.get(path) ?? 'default'
  return [
    ...wrongOrders(config, sourceOf),
    ...openToOthers(config, sourceOf),
    ...refusedEmbedded(config, sourceOf, isProduction),
    ...sharedRedis(config, sourceOf),
    ...strayPercents(config, sourceOf),
  ]
}

type SourceOf = (path: SettingPath) => string

function wrongOrders(config: Config, sourceOf: SourceOf): ConfigProblem[] {
  return orders.flatMap(({ low, high, mayEqual, ifSet }) => {
    if (ifSet && sourceOf(low) === 'default') return []
    const [lowValue, highValue] = [numberAt(config, low), numberAt(config, high)]
    if (mayEqual ? lowValue <= highValue : lowValue < highValue) return []
    // The problem names the setting that was set.
    return sourceOf(low) !== 'default'
      ? {
          path: low,
          source: sourceOf(low),
          message: `is ${lowValue}, but must ${mayEqual ? 'not be above' : 'be below'} ${high}, which is ${highValue}`,
        }
      : {
          path: high,
          source: sourceOf(high),
          message: `is ${highValue}, but must ${mayEqual ? 'not be below' : 'be above'} ${low}, which is ${lowValue}`,
        }
  })
}

function numberAt(config: Config, path: SettingPath): number {
  const setting = settingList.find((row) => row.path === path)
  return setting === undefined ? Number.NaN : Number(settingValue(config, setting))
}

function openToOthers({ server, auth }: Config, sourceOf: SourceOf): ConfigProblem[] {
  if (isLoopback(server.host) || auth.mode === 'none') return []
  return [
    {
      path: 'server.host',
      source: sourceOf('server.host'),
      message:
        `is ${JSON.stringify(server.host)}, which other machines can reach, and no authentication is set. ` +
        'Use 127.0.0.1, ::1 or localhost, or set AUTH=none (auth.mode = "none") if every client may read and write.',
    },
  ]
}

/**
 * Refuses the embedded Postgres if `database.embedded` is false. In production it is refused as a
 * default, too: somebody must have named its directory.
 */
function refusedEmbedded(
  { database }: Config,
  sourceOf: SourceOf,
  isProduction: boolean,
): ConfigProblem[] {
  const path = 'database.url'
  if (database.url !== undefined) return []
  if (!database.embedded)
    return [
      {
        path,
        source: sourceOf('database.embedded'),
        message:
          'is unset, and database.embedded is false: set DATABASE_URL to the URL of a Postgres server',
      },
    ]
  if (!isProduction || sourceOf('database.dataDirectory') !== 'default') return []
  return [
    {
      path,
      source: 'environment NODE_ENV',
      message:
        'is unset, and NODE_ENV is production: set DATABASE_URL to the URL of a Postgres server, or TURNLOG_DATA to a directory for the embedded Postgres',
    },
  ]
}

/** Refuses one Redis database for cache and jobs: a cache may be flushed and may evict entries. */
function sharedRedis({ cache, jobs }: Config, sourceOf: SourceOf): ConfigProblem[] {
  const cacheDatabase = redisDatabase(cache.url)
  if (cacheDatabase === undefined) return []
  const why = 'a cache may be flushed and may evict its entries, but jobs must not be lost'
  if (jobs.url !== undefined) {
    if (redisDatabase(jobs.url)?.join() !== cacheDatabase.join()) return []
    const message = `is the same database of the same server as cache.url: ${why}. Use another database, such as ${jobsDatabase}`
    return [{ path: 'jobs.url', source: sourceOf('jobs.url'), message }]
  }
  if (cacheDatabase[1] !== jobsDatabase) return []
  const message = `is database ${jobsDatabase} of its server, which the jobs use if jobs.url is unset: ${why}. Use database 0, or set jobs.url`
  return [{ path: 'cache.url', source: sourceOf('cache.url'), message }]
}

/**
 * Finds a `%` that was not encoded. A client that decodes such a URL fails or uses another
 * password.
 */
function strayPercents(config: Config, sourceOf: SourceOf): ConfigProblem[] {
  return settingList.flatMap((setting) => {
    const { path, secret } = setting
    const [address = ''] = /^[a-z-]+:\/\/[^?#]*/i.exec(String(settingValue(config, setting))) ?? []
    if (!secret || !/%(?![0-9a-f]{2})/i.test(address)) return []
    const message =
      'has a % that encodes nothing: write %25 for a % of a user, a password or a name'
    return [{ path, source: sourceOf(path), message }]
  })
}

/** The database of the cache's Redis that the jobs use if jobs.url is unset. */
const jobsDatabase = 1

/**
 * Returns server and database in one form, or undefined for a URL that does not name a single
 * Redis.
 */
function redisDatabase(url: string | undefined): [string, number] | undefined {
  if (url === undefined || !/^rediss?:/.test(url) || !URL.canParse(url)) return undefined
  const { hostname, port, pathname } = new URL(url)
  const host = isLoopback(hostname.replace(/^\[|\]$/g, '')) ? 'localhost' : hostname.toLowerCase()
  return [`${host}:${port === '' ? 6379 : port}`, Number(pathname.slice(1))]
}

/** Whether only this machine can reach a host. */
export function isLoopback(host: string): boolean {
  const octet = '(25[0-5]|2[0-4]\\d|1?\\d?\\d)'
  return new RegExp(`^(localhost|::1|127(\\.${octet}){3})$`, 'i').test(host)
}
