/** The log of a command: on standard error, in the form that its reader can use. */
import type { Config } from '../config.ts'
import { createEvents, type Log } from '../events.ts'

/** Text on a terminal and JSON elsewhere, unless `log.format` says which. */
export function openLog({ log: { level, format } }: Config): Log {
  const { stderr } = process
  // The reader of standard error has closed it; the service goes on without a log.
  stderr.on('error', () => {})
  const shown = format === 'auto' ? (stderr.isTTY ? 'text' : 'json') : format
  const log = createEvents((line) => stderr.write(`${line}\n`), { level, format: shown })
  process.once('exit', log.flush)
  return log
}
