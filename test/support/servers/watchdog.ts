/**
 * A watchdog that ends processes and removes a directory when the test process ends, however it
 * ends.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from './processes.ts'

export type Watchdog = {
  /** A directory that the watchdog removes at the end. */
  readonly root: string
  /** Replaces the list of processes that the watchdog ends. */
  note(pids: readonly number[]): void
  /** Ends the processes and removes the directory now. */
  end(): Promise<void>
}

/**
 * The script. Each line of its input lists the processes to kill; at its end, it kills those of the
 * last line.
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
