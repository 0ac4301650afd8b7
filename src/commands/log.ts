/** Opens the log of a command on standard error, as text for people or JSON for programs. */
import { type Config, mayColor } from '../config.ts'
import { createEvents, type Log } from '../events.ts'

/**
 * Opens the log. `log.format` decides its format; `auto` means text on a terminal and JSON
 * elsewhere. Text has colours on a terminal, unless NO_COLOR is set.
 */
export function openLog({ log: { level, format } }: Config): Log {
  const { stderr } = process
  // If the reader of standard error has closed it, the service continues without a log.
  stderr.on('error', () => {})
  const shown = format === 'auto' ? (stderr.isTTY ? 'text' : 'json') : format
  const printed = shown === 'text' && mayColor(stderr) ? 'coloredText' : shown
  const log = createEvents((line) => stderr.write(`${line}\n`), { level, format: printed })
  process.once('exit', log.flush)
  return log
}
