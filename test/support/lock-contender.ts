/**
 * A process that takes a lock repeatedly. Each time it leaves the lock as a dead process would: the
 * lock names a process that no longer exists. At the end it prints the number of times it held the
 * lock, and the number of times that another process held it, too.
 */
import { open, rename, unlink, writeFile } from 'node:fs/promises'
import { lockFile } from '../../src/client/journal/file-lock.ts'

const [path = '', deadHolder = '', times = '0'] = process.argv.slice(2)
let held = 0
let shared = 0
while (held < Number(times)) {
  try {
    await lockFile(path)
  } catch {
    continue
  }
  held += 1
  try {
    const inside = await open(`${path}.inside`, 'wx')
    await inside.close()
    const leftover = `${path}.left-by-${process.pid}`
    await writeFile(leftover, deadHolder)
    await unlink(`${path}.inside`)
    await rename(leftover, path)
  } catch {
    shared += 1
  }
}
process.stdout.write(JSON.stringify({ held, shared }))
