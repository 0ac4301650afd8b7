/** What can be told of an embedded database's directory without opening it or changing anything. */
import { existsSync, lstatSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { StartRefusal } from '../../src/ports/database.ts'
import { directoryHolder } from './directory-lock.ts'

export type DirectoryState = {
  /** Whether a start has made the data. */
  readonly made: boolean
  /** Whether the directory has foreign files and no data: a start refuses to make data among them. */
  readonly foreign: boolean
  /** The id of the process that has it open. */
  readonly holder: string | undefined
  readonly bytes: number
}

/** Where in the directory the data lies: an absolute path, or a name like `memory:` would be misread. */
export const dataIn = (directory: string): string => resolve(directory, 'pglite')

export function directoryState(directory: string): DirectoryState {
  return {
    made: existsSync(dataIn(directory)),
    foreign: isForeign(directory),
    holder: directoryHolder(directory),
    bytes: existsSync(directory) ? sizeOf(directory) : 0,
  }
}

/**
 * Throws a `StartRefusal` for a directory of somebody else's. Where our data is, other files beside it
 * are in nobody's way.
 */
export function refuseForeignDirectory(directory: string): void {
  if (isForeign(directory))
    throw new StartRefusal(
      `The data directory ${directory} has other files in it, and no data of Turnlog's: name one that is empty or does not exist yet (database.dataDirectory, TURNLOG_DATA).`,
    )
}

/** Names that do not count as foreign: those the service makes, and those a file system or a desktop makes. */
const expected = /^(pglite\.new|lock\.pid|lock\.db(-journal|-wal|-shm)?|lost\+found|\.DS_Store)$/

function isForeign(directory: string): boolean {
  const data = dataIn(directory)
  if (existsSync(data)) return !existsSync(join(data, 'PG_VERSION'))
  try {
    return readdirSync(directory).some((name) => !expected.test(name))
  } catch {
    // A directory that is missing or cannot be read is reported by `lockDirectory`, which makes it.
    return false
  }
}

function sizeOf(path: string): number {
  const status = lstatSync(path, { throwIfNoEntry: false })
  // A running service removes files while we count.
  if (status === undefined) return 0
  if (!status.isDirectory()) return status.size
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0)
}
