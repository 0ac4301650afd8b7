/**
 * Finds the service that these settings would start on this machine, and sends requests to it. It
 * uses node:http, because `fetch` uses the proxy that the environment names even for this machine.
 */
import { get } from 'node:http'
import {
  type Config,
  ConfigError,
  type ExaminedConfig,
  examineConfig,
  readEnvironment,
} from '../config.ts'
import { serviceNotice, serviceUrl } from '../transfer/command-line.ts'
import { Misuse } from '../transfer/misuse.ts'

export type LocalAnswer = { readonly status: number; readonly body: string }

/**
 * Returns the URL at which this machine reaches the service, or undefined if the port is 0 (any
 * free port).
 */
export function localUrl({ server: { host, port } }: Config): string | undefined {
  if (port === 0) return undefined
  if (host === '0.0.0.0') return `http://127.0.0.1:${port}`
  if (host === '::') return `http://[::1]:${port}`
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/**
 * Returns the URL of the service that an import or export uses: `--url`, else `TURNLOG_URL`, else
 * the address in the settings, else the default. Prints which one, unless it is `--url`.
 */
export function chosenService(flag: string | undefined): string {
  if (flag !== undefined) return serviceUrl(flag)
  const { url, source } = addressIn(examineConfig({ argv: [], ...readEnvironment() }))
  const checked = serviceUrl(url, source)
  process.stderr.write(serviceNotice(checked, source))
  return checked
}

const addressSettings = ['server.port', 'server.host'] as const

function addressIn({ config, sources, serviceUrl: named, error }: ExaminedConfig) {
  if (named !== undefined) return named
  // The other settings may be wrong: they are of no use here.
  const deciding = [addressSettings[0], 'turnlog.toml', '.env'] as readonly string[]
  const wrong = error?.problems.filter(({ path }) => deciding.includes(path)) ?? []
  if (wrong.length > 0) throw new ConfigError(wrong)
  const set = addressSettings.filter((path) => sources.get(path) !== 'default')
  if (set.length === 0) return { url: 'http://localhost:3000', source: 'the default' }
  const source = set.map((path) => `${path}, ${sources.get(path)}`).join('; ')
  const url = localUrl(config)
  if (url === undefined)
    throw new Misuse(
      `The port of the service is unknown, because it is any free one (${source}): use --url or TURNLOG_URL.`,
    )
  return { url, source }
}

const bodyMax = 65_536

/** A server accepted the connection but did not answer in time. */
export class Silence extends Error {
  override readonly name = 'Silence'
}

/**
 * Resolves with the answer to a GET. Rejects without an answer, with `Silence` after `deadlineMs`
 * milliseconds.
 */
export async function askService(url: string, deadlineMs: number): Promise<LocalAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<LocalAnswer>()
  const request = get(url, (response) => {
    let body = ''
    response.setEncoding('utf8')
    response.on('data', (chunk: string) => {
      if (body.length < bodyMax) body += chunk
    })
    response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
    response.on('error', reject)
  })
  request.on('error', reject)
  const timer = setTimeout(
    () => reject(new Silence(`no answer within ${deadlineMs} ms`)),
    deadlineMs,
  )
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    request.destroy()
  }
}
