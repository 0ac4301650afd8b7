/**
 * A process that takes a lock again and again. Each time it leaves the lock as a dead process does:
 * with the name of a process that has ended. It prints how many times it held the lock, and how
 * many times another process held it, too.
 */
import { open, rename, unlink, writeFile } from 'node:fs/promises'
import { lockFile } from '../../src/client/journal/file-lock.ts'

const [path = '', deadProcess = '', times = '0'] = process.argv.slice(2)
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
    const abandoned = `${path}.left-by-${process.pid}`
    await writeFile(abandoned, deadProcess)
    await unlink(`${path}.inside`)
    await rename(abandoned, path)
  } catch {
    shared += 1
  }
}
process.stdout.write(JSON.stringify({ held, shared }))
