/** A watchdog ends processes and removes a directory after the end of the test process. */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from './processes.ts'

export type Watchdog = {
  /** A directory that the watchdog removes. */
  readonly root: string
  /** Sets the ids of the processes that the watchdog must end. */
  note(pids: readonly number[]): void
  /** Makes the watchdog do its work now. */
  end(): Promise<void>
}

/**
 * The script. Its input has lines of process ids; at the end of the input it kills those of the
 * last.
 */
const watch = `
  trap '' INT TERM HUP
  while read -r line; do pids=$line; done
  if [ -n "$pids" ]; then kill -KILL $pids; sleep 0.1; fi
  rm -rf "$1"`

export function startWatchdog(name: string): Watchdog {
  const root = mkdtempSync(join(tmpdir(), `turnlog-${name}-`))
  const child = spawn('/bin/sh', ['-c', watch, 'watchdog', root], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  child.unref()
  return {
    root,
    note: (pids) => void child.stdin?.write(`${pids.join(' ')}\n`),
    async end() {
      child.stdin?.end()
      await until('the watchdog has cleaned up', () => !existsSync(root))
    },
  }
}
