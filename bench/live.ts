/** What live delivery costs: the way from a commit to its subscribers, and the sockets themselves. */
import { stopTestRedis } from '../test/support/redis.ts'
import type { Comparison } from './comparison.ts'
import { benchLatency } from './live-latency.ts'
import { benchRedisDown } from './live-redis-down.ts'
import { benchSockets } from './live-sockets.ts'

export async function benchLive(): Promise<Comparison[]> {
  const comparisons = [...(await benchLatency()), await benchRedisDown(), ...(await benchSockets())]
  await stopTestRedis()
  return comparisons
}
