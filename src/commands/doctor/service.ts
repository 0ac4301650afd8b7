/** Checks of the service that these settings start: whether it runs, and whether it is ready. */
import packageJson from '../../../package.json' with { type: 'json' }
import type { Config } from '../../config.ts'
import { askService, localUrl, Silence } from '../local-service.ts'
import { type Check, checksOf } from './report.ts'

const { ok, note, wrong } = checksOf('service')

/**
 * Checks the address and readiness of the service. Settles within twice `deadlineMs` milliseconds.
 */
export async function serviceChecks(config: Config, deadlineMs: number): Promise<Check[]> {
  const url = localUrl(config)
  if (url === undefined)
    return [note('address', 'not checked: PORT is 0, so the service listens on any free port')]
  let version: string | undefined
  try {
    version = turnlogVersion((await askService(url, deadlineMs)).body)
  } catch (thrown) {
    const refused = thrown instanceof Error && 'code' in thrown && thrown.code === 'ECONNREFUSED'
    if (refused) return [note('address', `nothing listens on ${url}: no service runs there now`)]
    if (thrown instanceof Silence)
      return [
        wrong(
          'address',
          `${url} accepts connections but does not answer`,
          'Look at the log of the program that listens there, and stop it if it hangs.',
        ),
      ]
  }
  if (version === undefined)
    return [
      wrong(
        'address',
        `${url} belongs to another program`,
        'Stop that program, or choose another port with PORT.',
      ),
    ]
  return [
    version === packageJson.version
      ? ok('address', `${url} is Turnlog ${version}`)
      : note('address', `${url} is Turnlog ${version}, but this is ${packageJson.version}`),
    await readiness(url, deadlineMs),
  ]
}

async function readiness(url: string, deadlineMs: number): Promise<Check> {
  try {
    const { status, body } = await askService(`${url}/readyz`, deadlineMs)
    const state = readinessOf(body)
    if (status === 200) return ok('readiness', state)
    return wrong('readiness', state, 'See the log of the service, and the checks above.')
  } catch {
    return wrong(
      'readiness',
      `no answer within ${deadlineMs} ms`,
      'The service runs, but /readyz does not answer: see the log of the service.',
    )
  }
}

const turnlogVersion = (body: string): string | undefined => {
  const { name, version } = parsed(body)
  return name === 'turnlog' && typeof version === 'string' ? version : undefined
}

/** Prints the answer of /readyz: the state of the service, then each dependency. */
function readinessOf(body: string): string {
  const { status, dependencies } = parsed(body)
  const each = Object.entries(Object(dependencies)).map(([name, dependency]) => {
    const { status: state, name: server } = Object(dependency)
    return `${name} ${String(state)} (${String(server)})`
  })
  return [String(status), ...each].join(', ')
}

function parsed(body: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(body))
  } catch {
    return {}
  }
}
