/** What a doctor says of the service that these settings start: whether one runs, and is ready. */
import packageJson from '../../../package.json' with { type: 'json' }
import type { Config } from '../../config.ts'
import { askService, localUrl, Silence } from '../local-service.ts'
import { type Check, checksOf } from './report.ts'

const { ok, note, wrong } = checksOf('service')

/** Settles within twice `deadlineMs`. */
export async function serviceChecks(config: Config, deadlineMs: number): Promise<Check[]> {
  const url = localUrl(config)
  if (url === undefined) return [note('address', 'the port is any free one: nobody knows which')]
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
          `${url} takes connections and does not answer`,
          'Look at the log of what listens there, and end it if it hangs.',
        ),
      ]
  }
  if (version === undefined)
    return [
      wrong(
        'address',
        `${url} is another program's`,
        'Stop that one, or choose another port with PORT.',
      ),
    ]
  return [
    version === packageJson.version
      ? ok('address', `${url} is Turnlog ${version}`)
      : note('address', `${url} is Turnlog ${version}, and this is ${packageJson.version}`),
    await readiness(url, deadlineMs),
  ]
}

async function readiness(url: string, deadlineMs: number): Promise<Check> {
  try {
    const { status, body } = await askService(`${url}/readyz`, deadlineMs)
    const said = readinessOf(body)
    if (status === 200) return ok('readiness', said)
    return wrong('readiness', said, 'See the log of the service, and what is wrong above.')
  } catch {
    return wrong(
      'readiness',
      `no answer within ${deadlineMs} ms`,
      'See the log of the service: it lives, and cannot say whether it is ready.',
    )
  }
}

const turnlogVersion = (body: string): string | undefined => {
  const { name, version } = parsed(body)
  return name === 'turnlog' && typeof version === 'string' ? version : undefined
}

/** Its own words: the state, then each dependency. */
function readinessOf(body: string): string {
  const { status, dependencies } = parsed(body)
  const each = Object.entries(Object(dependencies)).map(([name, told]) => {
    const { status: state, name: place } = Object(told)
    return `${name} ${String(state)} (${String(place)})`
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
