/** One process at a time on a file, as far as a file can tell: its lock names the process that holds it. */
import { open, readFile, unlink } from 'node:fs/promises'
import process from 'node:process'

/**
 * Takes the lock, or throws an `Error` that names the holder. The lock of a process that has ended is taken
 * over. Answers the release.
 */
export async function lockFile(path: string): Promise<() => Promise<void>> {
  for (;;) {
    try {
      const handle = await open(path, 'wx')
      await handle.writeFile(String(process.pid))
      await handle.close()
      held.add(path)
      return async () => {
        held.delete(path)
        await unlink(path)
      }
    } catch (reason) {
      if (codeOf(reason) !== 'EEXIST') throw reason
    }
    const holder = Number(await readFile(path, 'utf8').catch(() => ''))
    // A pid of our own that we do not hold is of a former life: in a container, pids come again.
    if (holder === process.pid ? held.has(path) : isAlive(holder))
      throw new Error(
        `${path} is held by process ${holder}: one process at a time. Remove it if that is another program.`,
      )
    await unlink(path).catch(() => {})
  }
}

const held = new Set<string>()

const codeOf = (reason: unknown) =>
  reason instanceof Error && 'code' in reason ? reason.code : undefined

function isAlive(pid: number): boolean {
  // Nothing in it yet: its holder was ended between making it and writing to it.
  if (!Number.isSafeInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (reason) {
    return codeOf(reason) !== 'ESRCH'
  }
}
