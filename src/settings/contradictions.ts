/** Settings that are fine one by one, and cannot stand together. */
import { type Config, type SettingPath, settingList, settingValue } from './setting-list.ts'
import type { ConfigProblem } from './sources.ts'

type Order = {
  readonly low: SettingPath
  readonly high: SettingPath
  readonly mayEqual: boolean
  /** A default above a bound that somebody lowered is only never reached. */
  readonly ifSet?: true
}

/** The first must be below the second, or may equal it. */
const orders: readonly Order[] = [
  // Else a locked conversation looks like a lost database.
  { low: 'database.lockTimeoutMs', high: 'database.deadlineMs', mayEqual: false },
  // Else a turn that is allowed could never wait for its batch.
  { low: 'limits.turnBytesMax', high: 'writes.waitingBytesMax', mayEqual: true },
  // Else metadata of a size that is allowed would fit into no turn.
  {
    low: 'limits.metadataBytesMax',
    high: 'limits.turnBytesMax',
    mayEqual: true,
    ifSet: true,
  },
  // Else a reader that is a little behind would be closed instead of waited for.
  { low: 'live.bufferSoftBytes', high: 'live.bufferHardBytes', mayEqual: false },
]

export function contradictions(
  config: Config,
  sources: ReadonlyMap<SettingPath, string>,
): ConfigProblem[] {
  const sourceOf = (path: SettingPath) => sources.get(path) ?? 'default'
  return [
    ...disorder(config, sourceOf),
    ...exposure(config, sourceOf),
    ...sharedRedis(config, sourceOf),
    ...strayPercents(config, sourceOf),
  ]
}

type SourceOf = (path: SettingPath) => string

function disorder(config: Config, sourceOf: SourceOf): ConfigProblem[] {
  return orders.flatMap(({ low, high, mayEqual, ifSet }) => {
    if (ifSet && sourceOf(low) === 'default') return []
    const [least, most] = [numberAt(config, low), numberAt(config, high)]
    if (mayEqual ? least <= most : least < most) return []
    // Told of the one that somebody set.
    return sourceOf(low) !== 'default'
      ? {
          path: low,
          source: sourceOf(low),
          message: `is ${least}, and must ${mayEqual ? 'not be above' : 'be below'} ${high}, which is ${most}`,
        }
      : {
          path: high,
          source: sourceOf(high),
          message: `is ${most}, and must ${mayEqual ? 'not be below' : 'be above'} ${low}, which is ${least}`,
        }
  })
}

function numberAt(config: Config, path: SettingPath): number {
  const setting = settingList.find((row) => row.path === path)
  return setting === undefined ? Number.NaN : Number(settingValue(config, setting))
}

function exposure({ server, auth }: Config, sourceOf: SourceOf): ConfigProblem[] {
  if (isLoopback(server.host) || auth.mode === 'none') return []
  return [
    {
      path: 'server.host',
      source: sourceOf('server.host'),
      message:
        `is ${JSON.stringify(server.host)}, which other machines can reach, and nothing asks who they are. ` +
        'Use 127.0.0.1, ::1 or localhost, or say AUTH=none (auth.mode = "none") if that is meant.',
    },
  ]
}

/** The job queue must not share a database with a cache, which may be flushed and may evict. */
function sharedRedis({ cache, jobs }: Config, sourceOf: SourceOf): ConfigProblem[] {
  const place = redisPlace(cache.url)
  if (place === undefined) return []
  const why = 'a cache may be flushed and may evict what it holds, and jobs must not be lost'
  if (jobs.url !== undefined) {
    if (redisPlace(jobs.url)?.join() !== place.join()) return []
    const message = `is the same database of the same server as cache.url: ${why}. Give it another one, such as ${jobsDatabase}`
    return [{ path: 'jobs.url', source: sourceOf('jobs.url'), message }]
  }
  if (place[1] !== jobsDatabase) return []
  const message = `is database ${jobsDatabase} of its server, which the jobs take where jobs.url is unset: ${why}. Use database 0, or set jobs.url`
  return [{ path: 'cache.url', source: sourceOf('cache.url'), message }]
}

/** A `%` of a password that was not encoded: whoever decodes it fails, or takes another password. */
function strayPercents(config: Config, sourceOf: SourceOf): ConfigProblem[] {
  return settingList.flatMap((setting) => {
    const { path, secret } = setting
    const [place = ''] = /^[a-z-]+:\/\/[^?#]*/i.exec(String(settingValue(config, setting))) ?? []
    if (!secret || !/%(?![0-9a-f]{2})/i.test(place)) return []
    const message =
      'has a % that encodes nothing: write %25 for a % of a user, a password or a name'
    return [{ path, source: sourceOf(path), message }]
  })
}

/** Where the jobs go beside a cache, unless jobs.url says so. */
const jobsDatabase = 1

/** Server and database, so that the same place has one form; undefined for what is no single Redis. */
function redisPlace(url: string | undefined): [string, number] | undefined {
  if (url === undefined || !/^rediss?:/.test(url) || !URL.canParse(url)) return undefined
  const { hostname, port, pathname } = new URL(url)
  const host = isLoopback(hostname.replace(/^\[|\]$/g, '')) ? 'localhost' : hostname.toLowerCase()
  return [`${host}:${port === '' ? 6379 : port}`, Number(pathname.slice(1))]
}

/** Whether a host is reached from this machine alone. */
export function isLoopback(host: string): boolean {
  const octet = '(25[0-5]|2[0-4]\\d|1?\\d?\\d)'
  return new RegExp(`^(localhost|::1|127(\\.${octet}){3})$`, 'i').test(host)
}
