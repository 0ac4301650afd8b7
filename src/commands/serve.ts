/** `turnlog serve`: runs the service until it is told to stop. */
import packageJson from '../../package.json' with { type: 'json' }
import { type App, createApp } from '../app.ts'
import type { Config } from '../config.ts'
import type { Events } from '../events.ts'
import { checkDescriptors, watchDescriptors } from './file-descriptors.ts'
import { openLog } from './log.ts'
import { logProcess } from './process-log.ts'

/** Resolves when everything is closed: to 0, or to 1 where an exception that nobody caught ended it. */
export async function serve(config: Config, stop: AbortSignal): Promise<number> {
  checkDescriptors(config)
  const events = openLog(config)
  using failure = logProcess(events)
  using _watch = watchDescriptors(events)
  const stopped = AbortSignal.any([stop, failure.signal])
  const starting = createApp(config, { events })
  // A start can wait long for its database; a stop does not wait for the start.
  await Promise.race([starting, aborted(stopped)])
  if (!stopped.aborted) await run(await starting, config, events, stopped)
  return failure.signal.aborted ? 1 : 0
}

async function run(app: App, config: Config, events: Events, stopped: AbortSignal): Promise<void> {
  let until = performance.now()
  try {
    const listening = app.listen(config.server)
    const { url, dataDirectory } = config.database
    events.started({
      version: packageJson.version,
      url: listening.url,
      database: app.databaseName,
      cache: app.cacheName,
      dataDirectory: url === undefined ? dataDirectory : undefined,
    })

    await aborted(stopped)
    events.stopping(String(stopped.reason))
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
