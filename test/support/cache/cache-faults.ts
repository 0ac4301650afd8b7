/** What can befall the Redis of a running service, one function each: it begins, lasts, and is over. */
import { createClient } from 'redis'
import { until } from '../servers/processes.ts'
import type { TestProxy } from '../servers/proxy.ts'
import type { TestRedis } from '../servers/redis.ts'

/** Resolves when Redis is whole again; `lastsMs` is how long it shall not be, where that can be chosen. */
export type Fault = (at: {
  readonly redis: TestRedis
  readonly links: readonly TestProxy[]
  readonly lastsMs: number
  /** Turns acknowledged so far. */
  readonly changes: () => number
}) => Promise<void>

/** A command on a connection of its own: the test process does not stand still for it. */
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

/** It was never there until now. */
export const absentAtBoot: Fault = async ({ redis, lastsMs }) => {
  await Bun.sleep(lastsMs)
  await redis.restart()
}

export const killedAndEmpty: Fault = async ({ redis, lastsMs }) => {
  await redis.kill()
  await Bun.sleep(lastsMs)
  await redis.restart()
}

/** It comes back with what it held before the last turns. */
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

/** Less room than what is read takes. */
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

/** What is open goes silent for good, and nobody is told; new connections work at once. */
export const linkHalfOpen: Fault = async ({ links }) => {
  for (const link of links) link.silence()
}

/** Every answer comes, and too late for a reader. */
export const linkSlow: Fault = async ({ links, lastsMs }) => {
  for (const link of links) link.delayMs = 12
  await Bun.sleep(lastsMs)
  for (const link of links) link.delayMs = 0
}

export type Refusal = {
  readonly name: string
  /** What its answers to a script say. */
  readonly code: string
  begin(redis: TestRedis): Promise<void>
  end(redis: TestRedis): Promise<void>
}

const set = async (redis: TestRedis, ...settings: string[]) => {
  await command(redis, 'CONFIG', 'SET', ...settings)
}

/** Ways of a Redis to answer reads and refuse whatever is to be written. */
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
    name: 'full, noeviction',
    code: 'OOM',
    begin: (redis) => set(redis, 'maxmemory', '1', 'maxmemory-policy', 'noeviction'),
    end: (redis) => set(redis, 'maxmemory', '0'),
  },
  {
    // It needs `enable-protected-configs`.
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
    name: 'not for this user to write',
    // In a script, Redis 7.0 says it without the code NOPERM.
    code: "The user executing the script can't run this command",
    async begin(redis) {
      await command(redis, 'ACL', 'SETUSER', 'default', '-zadd')
    },
    async end(redis) {
      await command(redis, 'ACL', 'SETUSER', 'default', '+zadd')
    },
  },
]

/** It refuses for as long as it lasts, and until it has refused somebody. */
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

/** Open connections hear nothing of what is published any more, and are told nothing. */
export const deaf: Fault = async ({ links, lastsMs }) => {
  for (const link of links)
    link.swallow((chunk) => /\r\ns?message\r\n/.test(chunk.toString('latin1')))
  await Bun.sleep(lastsMs)
}
