/** The command `turnlog serve` runs the service until a signal stops it. */
import packageJson from '../../package.json' with { type: 'json' }
import { type App, createApp } from '../app.ts'
import type { Config, ExaminedConfig } from '../config.ts'
import type { Events } from '../events.ts'
import { checkDescriptors, watchDescriptors } from './file-descriptors.ts'
import { openLog } from './log.ts'
import { logProcess } from './process-log.ts'

/**
 * Runs the service. Resolves when all is closed, with 0, or with 1 if an uncaught exception ended
 * it.
 */
export async function serve(
  { config, nearMisses }: Pick<ExaminedConfig, 'config' | 'nearMisses'>,
  stop: AbortSignal,
): Promise<number> {
  checkDescriptors(config)
  const events = openLog(config)
  for (const nearMiss of nearMisses) events.notice('warn', nearMiss)
  using failure = logProcess(events)
  using _watch = watchDescriptors(events)
  const stopped = AbortSignal.any([stop, failure.signal])
  const starting = createApp(config, { events })
  // A start can wait long for its database. A stop does not wait for the start.
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
    // A write that is still waiting after the grace period is cut off, as by a crash.
    const restMs = Math.max(until - performance.now(), closingMs)
    await Promise.race([app[Symbol.asyncDispose](), after(restMs)])
  }
}

/** Minimum time for closing, in milliseconds. */
const closingMs = 1000

const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
