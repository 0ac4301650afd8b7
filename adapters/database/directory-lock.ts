/**
 * The lock of a data directory, which one process holds. PGlite takes no lock, and two processes
 * that open one directory lose data without an error. The lock is one of the kernel (fcntl, through
 * SQLite): it ends with the process, however the process dies, and a living process keeps it, even
 * if stopped.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { StartRefusal } from '../../src/ports/database.ts'

/**
 * Makes a missing directory with mode 0700, and locks it.
 * @returns A function that releases the lock.
 * @throws StartRefusal Another process holds the lock, or the directory cannot be used.
 */
export function lockDirectory(directory: string): () => void {
  const pidFile = join(directory, 'lock.pid')
  const lock = openLock(directory)
  try {
    lock.exec('BEGIN EXCLUSIVE')
  } catch (thrown) {
    lock.close()
    throw /locked/.test(reasonOf(thrown))
      ? new StartRefusal(
          `The data directory ${directory} is in use by process ${readPid(pidFile)}: stop that process, or set another directory or DATABASE_URL.`,
        )
      : unusable(directory, thrown)
  }
  try {
    // The file serves the sentence above only. After a crash it is stale until the next process
    // writes it.
    writeFileSync(pidFile, `${process.pid}\n`)
  } catch (thrown) {
    lock.close()
    throw unusable(directory, thrown)
  }
  return () => {
    rmSync(pidFile, { force: true })
    lock.close()
  }
}

/** The id of the process that holds the directory; undefined if none does. Changes nothing. */
export function directoryHolder(directory: string): string | undefined {
  const file = join(directory, 'lock.db')
  if (!existsSync(file)) return undefined
  const lock = new DatabaseSync(file, { readOnly: true })
  try {
    lock.prepare('SELECT count(*) FROM sqlite_master').get()
    return undefined
  } catch (thrown) {
    if (/locked/.test(reasonOf(thrown))) return readPid(join(directory, 'lock.pid'))
    throw thrown
  } finally {
    lock.close()
  }
}

function openLock(directory: string): DatabaseSync {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    return new DatabaseSync(join(directory, 'lock.db'))
  } catch (thrown) {
    throw unusable(directory, thrown)
  }
}

const reasonOf = (thrown: unknown) => (thrown instanceof Error ? thrown.message : String(thrown))

const unusable = (directory: string, thrown: unknown) =>
  new StartRefusal(`The data directory ${directory} cannot be used: ${reasonOf(thrown)}`)

function readPid(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return '(unknown)'
  }
}
