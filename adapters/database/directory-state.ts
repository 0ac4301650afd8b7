/**
 * The state of an embedded database's directory, read without opening the database or changing it.
 */
import { existsSync, lstatSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { StartRefusal } from '../../src/ports/database.ts'
import { directoryHolder } from './directory-lock.ts'

/** The state of a data directory. */
export type DirectoryState = {
  /** Whether the data exists: a start has made it. */
  readonly made: boolean
  /** Whether the directory has other files and no data. A start refuses to make data among them. */
  readonly foreign: boolean
  /** The id of the process that has the directory open; undefined if none has. */
  readonly holder: string | undefined
  /** The bytes of all files in the directory. */
  readonly bytes: number
}

/**
 * The path of the data in the directory. It is absolute, because PGlite would misread a name like
 * `memory:`.
 */
export const dataIn = (directory: string): string => resolve(directory, 'pglite')

/** Reads the state of a data directory. */
export function directoryState(directory: string): DirectoryState {
  return {
    made: existsSync(dataIn(directory)),
    foreign: isForeign(directory),
    holder: directoryHolder(directory),
    bytes: existsSync(directory) ? sizeOf(directory) : 0,
  }
}

/**
 * Throws a `StartRefusal` for a directory with other files and without Turnlog's data. If it has
 * the data, further files do no harm.
 */
export function refuseForeignDirectory(directory: string): void {
  if (isForeign(directory))
    throw new StartRefusal(
      `The data directory ${directory} has other files in it, and no data of Turnlog's: name one that is empty or does not exist yet (database.dataDirectory, TURNLOG_DATA).`,
    )
}

/** Files that are not foreign: the service, a file system or a desktop makes them. */
const expected = /^(pglite\.new|lock\.pid|lock\.db(-journal|-wal|-shm)?|lost\+found|\.DS_Store)$/

function isForeign(directory: string): boolean {
  const data = dataIn(directory)
  if (existsSync(data)) return !existsSync(join(data, 'PG_VERSION'))
  try {
    return readdirSync(directory).some((name) => !expected.test(name))
  } catch {
    // The directory is missing or cannot be read. `lockDirectory` makes or reports it.
    return false
  }
}

function sizeOf(path: string): number {
  const status = lstatSync(path, { throwIfNoEntry: false })
  // A running service may have removed the file since it was listed.
  if (status === undefined) return 0
  if (!status.isDirectory()) return status.size
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0)
}
