/**
 * A send journal in a file, for Bun, Node and Deno: turns outlive the process, and with `sync` the machine.
 * Of its own entry point, for browsers have no files.
 */
import { mkdir, open } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { lockFile } from './file-lock.ts'
import {
  createHeld,
  entryName,
  type Held,
  type Journal,
  type JournalBounds,
  type JournalEntry,
  type Kept,
} from './journal.ts'
import { addLine, doneLine, readLines } from './journal-lines.ts'
import { LineFile } from './line-file.ts'

export type FileJournalOptions = JournalBounds & {
  /**
   * Whether a turn is on the disk before it is sent, so that it outlives a crash of the machine and not
   * only of the process.
   *
   * @default true
   */
  readonly sync?: boolean
}

/**
 * Opens the journal at `path`, or makes it; its directory, too. Rejects with an `Error`, and leaves the file
 * as it is, where another process holds it, and where it is no journal or is damaged. A journal is an empty
 * file, or one whose lines that end in a newline are all of a journal. The last line may lack its newline,
 * because a crash cut it short: it is dropped, for it was not sent. Where that is the only line, it must be
 * the beginning of a line of a journal.
 *
 * @example createClient({ url, journal: await openFileJournal('turns.journal') })
 */
export async function openFileJournal(
  path: string,
  options: FileJournalOptions = {},
): Promise<Journal> {
  const at = resolve(path)
  await mkdir(dirname(at), { recursive: true })
  const unlock = await lockFile(`${at}.lock`)
  try {
    const held = createHeld(options)
    const { handle, size, recovered } = await openLines(at)
    for (const entry of recovered) held.restore(entry, keptOf(entry))
    const { sync = true } = options
    const file = new LineFile({ path: at, handle, size, held, sync })
    return journalOver(file, held, recovered, unlock)
  } catch (reason) {
    await unlock()
    throw reason
  }
}

async function openLines(at: string) {
  // Not for appending: what a failed write has left is written over.
  const handle = await open(at, 'r+').catch((reason) => {
    // Whatever else is wrong, a new file would take the place of what it holds.
    const isMissing = reason instanceof Error && 'code' in reason && reason.code === 'ENOENT'
    if (!isMissing) throw reason
    return open(at, 'w+')
  })
  try {
    // A device or a pipe would be read as empty, and removed at the end.
    if (!(await handle.stat()).isFile()) throw new Error(`${at} is not a regular file.`)
    const file = await handle.readFile()
    const { lines, wholeBytes, damagedAt } = readLines(file)
    if (damagedAt !== undefined)
      throw new Error(
        `${at} ${damagedAt === 0 ? 'is no journal, or it' : 'is a journal that'} is damaged at byte ${damagedAt}. Nothing of it was changed. Give another path, or look at the file and remove the damaged line.`,
      )
    if (wholeBytes < file.length) await handle.truncate(wholeBytes)
    await handle.sync()
    const waiting = new Map<string, JournalEntry>()
    for (const line of lines) {
      if ('done' in line) waiting.delete(entryName(line.done))
      else if (!waiting.has(entryName(line.add))) waiting.set(entryName(line.add), line.add)
    }
    const recovered = [...waiting.values()]
    return { handle, size: wholeBytes, recovered }
  } catch (reason) {
    await handle.close()
    throw reason
  }
}

/** The journal's functions, which work unbound. */
function journalOver(
  file: LineFile,
  held: Held,
  recovered: readonly JournalEntry[],
  unlock: () => Promise<void>,
): Journal {
  const remove = (entry: JournalEntry) => {
    if (held.delete(entry) && !file.isClosed) file.write(doneLine(entry))
  }
  return {
    recovered,
    async append(entry) {
      if (file.isClosed) throw new Error(`The journal ${file.path} is closed.`)
      const kept = keptOf(entry)
      held.add(entry, kept)
      try {
        await file.keep(addLine(kept.json))
      } catch (reason) {
        // It may be in a file that was written anew meanwhile.
        remove(entry)
        throw reason
      }
    },
    remove,
    async [Symbol.asyncDispose]() {
      if (file.isClosed) return
      await file.close()
      await unlock()
    },
  }
}

function keptOf(entry: JournalEntry): Kept {
  const json = JSON.stringify(entry)
  return { json, bytes: Buffer.byteLength(json) }
}
