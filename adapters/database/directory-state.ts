/** What can be told of an embedded database's directory without opening it or changing anything. */
import { existsSync, lstatSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { directoryHolder } from './directory-lock.ts'

export type DirectoryState = {
  /** Whether a start has made the data. */
  readonly made: boolean
  /** The id of the process that has it open. */
  readonly holder: string | undefined
  readonly bytes: number
}

/** Where in the directory the data lies: an absolute path, or a name like `memory:` would be misread. */
export const dataIn = (directory: string): string => resolve(directory, 'pglite')

export function directoryState(directory: string): DirectoryState {
  return {
    made: existsSync(dataIn(directory)),
    holder: directoryHolder(directory),
    bytes: existsSync(directory) ? sizeOf(directory) : 0,
  }
}

function sizeOf(path: string): number {
  const status = lstatSync(path, { throwIfNoEntry: false })
  // A running service removes files while we count.
  if (status === undefined) return 0
  if (!status.isDirectory()) return status.size
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0)
}
