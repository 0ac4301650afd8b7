/** Ends processes and removes a directory when the test process has ended, however that was. */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from './processes.ts'

export type Watchdog = {
  /** A directory that goes with it. */
  readonly root: string
  /** What it would have to end. */
  note(pids: readonly number[]): void
  /** Lets it do its work now. */
  end(): Promise<void>
}

/** Gets the processes to kill as lines on its input, the last of which counts, and acts at its end. */
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
