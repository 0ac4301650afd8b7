/** `turnlog serve`: runs the service until it is told to stop. */
import packageJson from '../../package.json' with { type: 'json' }
import { type App, createApp } from '../app.ts'
import type { Config } from '../config.ts'
import { createEvents } from '../events.ts'

/** Resolves when everything is closed. */
export async function serve(config: Config, stop: AbortSignal): Promise<void> {
  const events = createEvents()
  const starting = createApp(config, { events })
  // A start can wait long for its database; a stop does not wait for the start.
  await Promise.race([starting, aborted(stop)])
  if (stop.aborted) return
  const app = await starting
  let until = performance.now()
  try {
    const listening = app.listen(config.server)
    process.stdout.write(banner(config, listening.url, app))
    events.started({ url: listening.url, database: app.databaseName })

    await aborted(stop)
    events.stopping(String(stop.reason))
    app.drain()
    const graceMs = config.server.shutdownGraceSeconds * 1000
    until = performance.now() + graceMs
    await listening.stop(graceMs)
  } finally {
    // A write that is still waiting when the grace is over meets what a crash would be.
    const restMs = Math.max(until - performance.now(), closingMs)
    await Promise.race([app[Symbol.asyncDispose](), after(restMs)])
  }
}

/** What closing gets at least, in milliseconds. */
const closingMs = 1000

const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })

/** What is worth opening, and what a user of the embedded database must know. */
function banner({ database }: Config, url: string, { databaseName, cacheName }: App): string {
  const embedded = [
    `  Data      ${database.dataDirectory} (survives a crash of the process, not of the machine)`,
    '            Set DATABASE_URL to use a Postgres server.',
  ]
  return [
    `Turnlog ${packageJson.version}`,
    `  API       ${url}/v1/conversations`,
    `  Swagger   ${url}/swagger`,
    `  Health    ${url}/readyz`,
    `  Database  ${databaseName}`,
    `  Cache     ${cacheName}`,
    ...(database.url === undefined ? embedded : []),
    '',
  ].join('\n')
}
