/**
 * A small disk: a tmpfs, if this process may mount one. A watchdog unmounts it when the process
 * ends, however that is.
 */
import { spawn, spawnSync } from 'node:child_process'
import { chownSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from './processes.ts'

export type SmallDisk = AsyncDisposable & {
  readonly path: string
  /** Fills the disk, so that no byte is free. */
  fill(): void
  /** Frees the room that `fill` used. */
  makeRoom(): void
}

const watch = 'while read -r line; do :; done; umount -l "$1"; rmdir "$1"'

/** Mounts a small disk. Undefined if this process may not mount one. */
export function mountSmallDisk(megabytes: number): SmallDisk | undefined {
  const path = mkdtempSync(join(tmpdir(), 'turnlog-disk-'))
  const options = ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path]
  if (spawnSync('mount', options).status !== 0) {
    rmSync(path, { recursive: true })
    return undefined
  }
  // Only root may mount, and Postgres runs as `nobody` then.
  chownSync(path, 65534, 65534)
  const stdio = ['pipe', 'ignore', 'ignore'] as const
  const watchdog = spawn('/bin/sh', ['-c', watch, 'watchdog', path], {
    detached: true,
    stdio: [...stdio],
  })
  watchdog.unref()
  const filler = join(path, 'filler')
  const freeBytes = () => {
    const { bavail, bsize } = statfsSync(path)
    return bavail * bsize
  }
  return {
    path,
    fill: () => writeFileSync(filler, Buffer.alloc(freeBytes())),
    makeRoom: () => rmSync(filler, { force: true }),
    async [Symbol.asyncDispose]() {
      watchdog.stdin?.end()
      await until('the disk is unmounted', () => watchdog.exitCode !== null)
    },
  }
}
