/**
 * Faults of the Redis of a running service. Each function begins a fault, keeps it up and ends it.
 */
import { createClient } from 'redis'
import { until } from '../servers/processes.ts'
import type { TestProxy } from '../servers/proxy.ts'
import type { TestRedis } from '../servers/redis.ts'

/** Resolves when Redis works again. `lastsMs` is the length of the fault, if the fault has one. */
export type Fault = (at: {
  readonly redis: TestRedis
  readonly links: readonly TestProxy[]
  readonly lastsMs: number
  /** The number of changes acknowledged so far. */
  readonly changes: () => number
}) => Promise<void>

/** Runs a command on a connection of its own, without holding the test process. */
async function command({ url }: TestRedis, ...words: string[]): Promise<string> {
  const client = createClient({ url, disableOfflineQueue: true })
  client.on('error', () => {})
  await client.connect()
  const answer = await client.sendCommand<string | number>(words)
  client.destroy()
  return String(answer)
}

const statistic = async (redis: TestRedis, name: string): Promise<number> =>
  Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(await command(redis, 'INFO'))?.[1] ?? 0)

/** Redis was absent from the start. */
export const absentAtBoot: Fault = async ({ redis, lastsMs }) => {
  await Bun.sleep(lastsMs)
  await redis.restart()
}

export const killedAndEmpty: Fault = async ({ redis, lastsMs }) => {
  await redis.kill()
  await Bun.sleep(lastsMs)
  await redis.restart()
}

/** Redis returns with the entries that it had before the last turns. */
export const oldDump: Fault = async ({ redis, lastsMs, changes }) => {
  const dump = redis.dump()
  const before = changes()
  await Bun.sleep(lastsMs)
  await until('there are more turns', () => changes() >= before + 20)
  await redis.restart({ dump })
  const keys = Number(await command(redis, 'DBSIZE'))
  if (keys === 0) throw new Error('the dump was empty')
}

export const stopped: Fault = async ({ redis, lastsMs }) => {
  redis.freeze()
  await Bun.sleep(lastsMs)
  redis.thaw()
}

export const flushed: Fault = async ({ redis, lastsMs }) => {
  const times = 5
  for (let n = 1; n <= times; n += 1) {
    await command(redis, 'FLUSHALL')
    if (n < times) await Bun.sleep(lastsMs / times)
  }
}

/** Redis has less memory than the cached histories take. */
export const tooSmall: Fault = async ({ redis, lastsMs }) => {
  const before = await statistic(redis, 'evicted_keys')
  await command(redis, 'CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
  await command(redis, 'CONFIG', 'SET', 'maxmemory', '2mb')
  await Bun.sleep(lastsMs)
  const evicted = (await statistic(redis, 'evicted_keys')) - before
  await command(redis, 'CONFIG', 'SET', 'maxmemory', '0')
  if (evicted < 10) throw new Error(`only ${evicted} keys were evicted`)
}

export const linkCut: Fault = async ({ links, lastsMs }) => {
  const times = 3
  for (let n = 1; n <= times; n += 1) {
    for (const link of links) link.refuse()
    for (const link of links) link.cut()
    await Bun.sleep(lastsMs / times / 2)
    for (const link of links) await link.accept()
    if (n < times) await Bun.sleep(lastsMs / times / 2)
  }
}

/** Open connections become silent for good, without an error; new ones work at once. */
export const linkHalfOpen: Fault = async ({ links }) => {
  for (const link of links) link.silence()
}

/** Redis gives every answer, but too late for a reader. */
export const linkSlow: Fault = async ({ links, lastsMs }) => {
  for (const link of links) link.delayMs = 12
  await Bun.sleep(lastsMs)
  for (const link of links) link.delayMs = 0
}

export type Refusal = {
  readonly name: string
  /** A part of its answer to a script. */
  readonly code: string
  begin(redis: TestRedis): Promise<void>
  end(redis: TestRedis): Promise<void>
}

const set = async (redis: TestRedis, ...settings: string[]) => {
  await command(redis, 'CONFIG', 'SET', ...settings)
}

/** Ways in which a Redis answers reads and refuses all writes. */
export const refusals: readonly Refusal[] = [
  {
    name: 'demoted to a replica',
    code: 'READONLY',
    async begin(redis) {
      await command(redis, 'REPLICAOF', '127.0.0.1', '1')
    },
    async end(redis) {
      await command(redis, 'REPLICAOF', 'NO', 'ONE')
    },
  },
  {
    name: 'full with noeviction',
    code: 'OOM',
    begin: (redis) => set(redis, 'maxmemory', '1', 'maxmemory-policy', 'noeviction'),
    end: (redis) => set(redis, 'maxmemory', '0'),
  },
  {
    // Needs `enable-protected-configs`.
    name: 'unable to save',
    code: 'MISCONF',
    async begin(redis) {
      await set(redis, 'save', '3600 1', 'stop-writes-on-bgsave-error', 'yes', 'dir', '/proc')
      await command(redis, 'BGSAVE')
      const hasFailed = async () =>
        (await command(redis, 'INFO', 'persistence')).includes('rdb_last_bgsave_status:err')
      await until('it could not save', hasFailed)
    },
    end: (redis) => set(redis, 'stop-writes-on-bgsave-error', 'no', 'save', '', 'dir', '/tmp'),
  },
  {
    name: 'closed to writes of this user',
    // In a script, Redis 7.0 refuses without the code NOPERM.
    code: "The user executing the script can't run this command",
    async begin(redis) {
      await command(redis, 'ACL', 'SETUSER', 'default', '-zadd')
    },
    async end(redis) {
      await command(redis, 'ACL', 'SETUSER', 'default', '+zadd')
    },
  },
]

/** Redis refuses writes for `lastsMs`, and until it has refused at least one. */
export const refusing =
  ({ begin, end }: Refusal): Fault =>
  async ({ redis, lastsMs }) => {
    const before = await statistic(redis, 'total_error_replies')
    await begin(redis)
    await Bun.sleep(lastsMs)
    await until(
      'it has refused a write',
      async () => (await statistic(redis, 'total_error_replies')) > before,
    )
    await end(redis)
  }

/** Open connections receive no published messages, without an error. */
export const deaf: Fault = async ({ links, lastsMs }) => {
  for (const link of links)
    link.swallow((chunk) => /\r\ns?message\r\n/.test(chunk.toString('latin1')))
  await Bun.sleep(lastsMs)
}
