/** A lock file, which names the process that holds it. It lets one process at a time use a file. */
import { link, readFile, unlink, writeFile } from 'node:fs/promises'
import process from 'node:process'
import { newId } from '../wire/new-ids.ts'

/**
 * Takes the lock at `path`. Throws an `Error` that names the holder if a running process holds it. The lock of a
 * process that has ended is taken over. Returns the function that releases the lock.
 */
export async function lockFile(path: string): Promise<() => Promise<void>> {
  // Unique, so that another process cannot mistake it for the lock that was here before.
  const ownLock = `${process.pid} ${newId()}`
  ownLocks.add(ownLock)
  try {
    while (!(await claim(path, ownLock))) await removeStale(path)
  } catch (reason) {
    ownLocks.delete(ownLock)
    throw reason
  }
  return async () => {
    ownLocks.delete(ownLock)
    if ((await contentOf(path)) === ownLock) await unlink(path)
  }
}

/** The content of each lock that this process holds or is about to take. */
const ownLocks = new Set<string>()

/**
 * Creates the lock file, or returns false if it exists. A hard link makes the file appear complete in one step:
 * another process would take an empty lock for one without a holder.
 */
async function claim(path: string, ownLock: string): Promise<boolean> {
  const ownPath = `${path}.${ownLock.replace(' ', '.')}`
  await writeFile(ownPath, ownLock)
  try {
    await link(ownPath, path)
    return true
  } catch (reason) {
    if (codeOf(reason) !== 'EEXIST') throw reason
    return false
  } finally {
    await unlink(ownPath)
  }
}

/** Removes the lock of a process that has ended. Throws if its holder runs. */
async function removeStale(path: string): Promise<void> {
  const lock = await contentOf(path)
  if (lock === undefined) return
  // A crash of the machine may leave a lock that is empty or all zeros. Any other content is not a lock of ours.
  if (!/^(\d+( [\da-f-]{36})?|\0*)$/.test(lock))
    throw new Error(`${path} is not a lock of a journal. The file was not changed.`)
  const holder = Number(lock.split(' ')[0])
  // A lock with our own pid that this process does not hold is from an earlier run: containers reuse pids.
  if (holder === process.pid ? ownLocks.has(lock) : isRunning(holder))
    throw new Error(
      `${path} is held by process ${holder}. Stop that process, or remove the file if the process is another program.`,
    )
  // Another process may have taken the lock over since it was read. So one process at a time reads it again and
  // removes it, under a second lock of the same kind.
  const release = await lockFile(`${path}.takeover`)
  try {
    if ((await contentOf(path)) === lock) await unlink(path)
  } finally {
    await release()
  }
}

async function contentOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (reason) {
    if (codeOf(reason) !== 'ENOENT') throw reason
    return undefined
  }
}

const codeOf = (reason: unknown) =>
  reason instanceof Error && 'code' in reason ? reason.code : undefined

function isRunning(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (reason) {
    return codeOf(reason) !== 'ESRCH'
  }
}
