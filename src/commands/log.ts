/** Opens the log of a command on standard error, as text for people or JSON for programs. */
import type { Config } from '../config.ts'
import { createEvents, type Log } from '../events.ts'

/**
 * Opens the log. `log.format` decides its format; `auto` means text on a terminal and JSON
 * elsewhere.
 */
export function openLog({ log: { level, format } }: Config): Log {
  const { stderr } = process
  // If the reader of standard error has closed it, the service continues without a log.
  stderr.on('error', () => {})
  const shown = format === 'auto' ? (stderr.isTTY ? 'text' : 'json') : format
  const log = createEvents((line) => stderr.write(`${line}\n`), { level, format: shown })
  process.once('exit', log.flush)
  return log
}
