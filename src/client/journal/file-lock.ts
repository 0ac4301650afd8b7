/** One process at a time on a file, as far as a file can tell: its lock names the process that holds it. */
import { link, readFile, unlink, writeFile } from 'node:fs/promises'
import process from 'node:process'
import { newId } from '../wire/new-ids.ts'

/**
 * Takes the lock, or throws an `Error` that names the holder. The lock of a process that has ended is taken
 * over. Answers the release.
 */
export async function lockFile(path: string): Promise<() => Promise<void>> {
  // Like no other, so that nobody takes it for the lock that was here before.
  const mine = `${process.pid} ${newId()}`
  held.add(mine)
  try {
    while (!(await claim(path, mine))) await removeStale(path)
  } catch (reason) {
    held.delete(mine)
    throw reason
  }
  return async () => {
    held.delete(mine)
    if ((await contentOf(path)) === mine) await unlink(path)
  }
}

/** The locks of this process, and those it is about to take. */
const held = new Set<string>()

/** With a link it is there at once and whole: an empty lock would look like one of nobody. */
async function claim(path: string, mine: string): Promise<boolean> {
  const own = `${path}.${mine.replace(' ', '.')}`
  await writeFile(own, mine)
  try {
    await link(own, path)
    return true
  } catch (reason) {
    if (codeOf(reason) !== 'EEXIST') throw reason
    return false
  } finally {
    await unlink(own)
  }
}

/** Throws where the holder lives. */
async function removeStale(path: string): Promise<void> {
  const seen = await contentOf(path)
  if (seen === undefined) return
  // A crash of the machine may leave a lock empty or of zeros. Anything else is a file of somebody.
  if (!/^(\d+( [\da-f-]{36})?|\0*)$/.test(seen))
    throw new Error(`${path} is not a lock of a journal. Nothing of it was changed.`)
  const holder = Number(seen.split(' ')[0])
  // A pid of our own that we do not hold is of a former life: in a container, pids come again.
  if (holder === process.pid ? held.has(seen) : isAlive(holder))
    throw new Error(
      `${path} is held by process ${holder}: one process at a time. Remove it if that is another program.`,
    )
  // Another may have taken it over since it was read. One at a time looks again and removes it, under a
  // lock that is as this one.
  const done = await lockFile(`${path}.takeover`)
  try {
    if ((await contentOf(path)) === seen) await unlink(path)
  } finally {
    await done()
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

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (reason) {
    return codeOf(reason) !== 'ESRCH'
  }
}
