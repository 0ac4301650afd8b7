/**
 * FileJournal keeps the client's unanswered writes in a file, in Bun, Deno and Node. They survive a crash of the
 * process, and with `sync` a crash of the machine. It has an entry point of its own, because browsers have no files.
 */
import { mkdir, open } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { lockFile } from './file-lock.ts'
import {
  createJournalContent,
  entryName,
  type Journal,
  type JournalBounds,
  type JournalContent,
  type JournalEntry,
  type StoredEntry,
} from './journal.ts'
import { addLine, doneLine, readLines } from './journal-lines.ts'
import { LineFile } from './line-file.ts'

/** The options of `openFileJournal`. */
export type FileJournalOptions = JournalBounds & {
  /**
   * Whether a write is synced to the disk before it is sent. It then survives a crash of the machine, and not only of
   * the process.
   *
   * @default true
   */
  readonly sync?: boolean
}

/**
 * Opens the journal in a file. If the file or its directory does not exist, it is made. One process at a time may
 * hold the file. A journal without entries is an empty file, and is removed when the journal closes.
 *
 * A journal file is empty or has one JSON entry a line. The last line may lack its newline, because a crash cut it
 * short. Its write was not sent, so the line is dropped. If it is the only line, it must look like the beginning of an
 * entry, so that another file is not emptied by mistake. The write of a damaged line with a newline may have been sent,
 * so such a line is an error.
 *
 * A write is refused with `journal-full` if the disk has no room for it, and with `journal-failed` after another fault
 * of the file. The lock of the file needs a file system with hard links.
 *
 * @param path The path of the file.
 * @param options The bounds of the journal, and whether writes are synced to the disk.
 * @returns The journal, for `createClient`.
 * @throws `Error` Another process holds the file, the file is no journal, or it is damaged. The file is unchanged.
 * @example
 * const journal = await openFileJournal('./turns.journal', { sync: false })
 * await using durable = createClient({ url, journal })
 */
export async function openFileJournal(
  path: string,
  options: FileJournalOptions = {},
): Promise<Journal> {
  const at = resolve(path)
  await mkdir(dirname(at), { recursive: true })
  const unlock = await lockFile(`${at}.lock`)
  try {
    const content = createJournalContent(options)
    const { handle, size, recovered } = await openLines(at)
    for (const entry of recovered) content.restore(entry, storedEntry(entry))
    const { sync = true } = options
    const file = new LineFile({ path: at, handle, size, content, sync })
    return journalOver(file, content, recovered, unlock)
  } catch (reason) {
    await unlock()
    throw reason
  }
}

async function openLines(at: string) {
  // Not opened for appending: the next write overwrites the remains of a failed one.
  const handle = await open(at, 'r+').catch((reason) => {
    // After any other error, a new file would replace the writes that this one holds.
    const isMissing = reason instanceof Error && 'code' in reason && reason.code === 'ENOENT'
    if (!isMissing) throw reason
    return open(at, 'w+')
  })
  try {
    // A device or a pipe would read as an empty journal, and an empty journal is removed when it closes.
    if (!(await handle.stat()).isFile()) throw new Error(`${at} is not a regular file.`)
    const file = await handle.readFile()
    const { lines, wholeBytes, damagedAt } = readLines(file)
    if (damagedAt !== undefined)
      throw new Error(
        `${at} ${damagedAt === 0 ? 'is no journal, or it' : 'is a journal that'} is damaged at byte ${damagedAt}. The file was not changed. Give another path, or remove the damaged line from the file.`,
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

/** The journal's functions. They can be called without `this`. */
function journalOver(
  file: LineFile,
  content: JournalContent,
  recovered: readonly JournalEntry[],
  unlock: () => Promise<void>,
): Journal {
  const remove = (entry: JournalEntry) => {
    if (content.delete(entry) && !file.isClosed) file.write(doneLine(entry))
  }
  return {
    recovered,
    async append(entry) {
      if (file.isClosed) throw new Error(`The journal ${file.path} is closed.`)
      const stored = storedEntry(entry)
      content.add(entry, stored)
      try {
        await file.store(addLine(stored.json))
      } catch (reason) {
        // A compaction, which copies the waiting entries to a new file, may have copied this entry meanwhile.
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

function storedEntry(entry: JournalEntry): StoredEntry {
  const json = JSON.stringify(entry)
  return { json, bytes: Buffer.byteLength(json) }
}
