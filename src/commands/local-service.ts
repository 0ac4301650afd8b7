/**
 * Sends requests to the service that these settings would start on this machine. It uses node:http,
 * because `fetch` uses the proxy that the environment names even for this machine.
 */
import { get } from 'node:http'
import type { Config } from '../config.ts'

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
