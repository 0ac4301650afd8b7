/**
 * The command `turnlog healthcheck` checks whether the service of these settings runs on this
 * machine, for images without a shell. It does not check readiness: an orchestrator restarts unhealthy
 * containers, and would restart every node in vain while the database cannot be reached.
 */
import type { Config } from '../config.ts'
import { thrownText } from '../mechanics/thrown-text.ts'
import { askService, localUrl } from './local-service.ts'

/** Resolves with one line, and the exit code 0 if the service runs or 1 if it does not answer. */
export async function healthcheck(
  config: Config,
  deadlineMs = 2000,
): Promise<{ text: string; code: number }> {
  const url = localUrl(config)
  if (url === undefined)
    return {
      text: 'PORT is 0 (any free port), so the address of the service is unknown.\n',
      code: 1,
    }
  const address = `${url}/healthz`
  try {
    const { status } = await askService(address, deadlineMs)
    return { text: `${address} answers ${status}\n`, code: status === 200 ? 0 : 1 }
  } catch (thrown) {
    return { text: `${address} does not answer: ${thrownText(thrown)}\n`, code: 1 }
  }
}
