/**
 * Asks the service that these settings would start on this machine. By node:http, for `fetch` goes
 * through the proxy that the environment names, also to this machine.
 */
import { get } from 'node:http'
import type { Config } from '../config.ts'

export type LocalAnswer = { readonly status: number; readonly body: string }

/** Where it listens, as this machine reaches it; undefined where the port is any free one. */
export function localUrl({ server: { host, port } }: Config): string | undefined {
  if (port === 0) return undefined
  if (host === '0.0.0.0') return `http://127.0.0.1:${port}`
  if (host === '::') return `http://[::1]:${port}`
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

const bodyMax = 65_536

/** Something takes connections there, and says nothing. */
export class Silence extends Error {
  override readonly name = 'Silence'
}

/** Settles within `deadlineMs`; rejects where no answer came. */
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
