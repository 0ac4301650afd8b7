/**
 * `turnlog healthcheck`: whether the service that these settings start on this machine lives, for
 * images without a shell. Not whether it is ready: who restarts what is unhealthy would restart
 * every node because the database is away, and mend nothing.
 */
import type { Config } from '../config.ts'
import { askService, localUrl } from './local-service.ts'

/** One line, and 0 or 1. */
export async function healthcheck(
  config: Config,
  deadlineMs = 2000,
): Promise<{ text: string; code: number }> {
  const url = localUrl(config)
  if (url === undefined)
    return { text: 'The port is any free one (PORT=0), so there is nothing to ask.\n', code: 1 }
  const address = `${url}/healthz`
  try {
    const { status } = await askService(address, deadlineMs)
    return { text: `${address} answers ${status}\n`, code: status === 200 ? 0 : 1 }
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown)
    return { text: `${address} does not answer: ${reason}\n`, code: 1 }
  }
}
