/**
 * A process that takes a lock again and again, and each time leaves it as one who has died does: in the name
 * of a process that is gone. Prints how often it held it, and how often it was not alone.
 */
import { open, rename, unlink, writeFile } from 'node:fs/promises'
import { lockFile } from '../../src/client/journal/file-lock.ts'

const [path = '', gone = '', times = '0'] = process.argv.slice(2)
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
    const left = `${path}.left-by-${process.pid}`
    await writeFile(left, gone)
    await unlink(`${path}.inside`)
    await rename(left, path)
  } catch {
    shared += 1
  }
}
process.stdout.write(JSON.stringify({ held, shared }))
