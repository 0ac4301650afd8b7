/** The cost of live delivery: from a commit to its subscribers, and of the sockets themselves. */
import type { Ledger } from '../report/ledger.ts'
import { benchLatency } from './live-latency.ts'
import { benchRedisDown } from './live-redis-down.ts'
import { benchSockets } from './live-sockets.ts'

export async function benchLive(ledger: Ledger): Promise<void> {
  await benchSockets(ledger)
  await benchLatency(ledger)
  await benchRedisDown(ledger)
}
