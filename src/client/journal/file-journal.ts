/**
 * A send journal in a file, for Bun, Node and Deno: turns outlive the process, and with `sync` the machine.
 * Of its own entry point, for browsers have no files.
 */
import { type FileHandle, mkdir, open, rename, unlink } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { createDeferred, type Deferred } from '../../mechanics/deferred.ts'
import { Problem } from '../../problem.ts'
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

export type FileJournalOptions = JournalBounds & {
  /**
   * Whether a turn is on the disk before it is sent, so that it outlives a crash of the machine and not
   * only of the process; true unless said otherwise.
   */
  readonly sync?: boolean
}

type Write = { readonly text: string; readonly kept?: Deferred<void> }

/** A file of less is not written anew. */
const compactFromBytes = 262_144

/**
 * Opens the journal at `path`, or makes it; its directory, too. Rejects with an `Error`, and leaves the file
 * as it is, where another process holds it, and where it is no journal or is damaged. A journal is an empty
 * file, or one whose lines that end in a newline are all of a journal. The last line may lack its newline,
 * because a crash cut it short: it is dropped, for it was not sent. Where that is the only line, it must be
 * the beginning of a line of a journal.
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
    return createFileJournal({
      at,
      handle,
      size,
      recovered,
      held,
      unlock,
      sync: options.sync ?? true,
    })
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

function createFileJournal(opened: {
  readonly at: string
  readonly handle: FileHandle
  readonly size: number
  readonly recovered: readonly JournalEntry[]
  readonly held: Held
  readonly unlock: () => Promise<void>
  readonly sync: boolean
}): Journal {
  const { at, held, sync } = opened
  let { handle, size } = opened
  let writes: Write[] = []
  let writing: Promise<void> | undefined
  let closed = false
  /** What a failed write has left behind `size` could not be cut off. */
  let isLeftover = false

  const cut = async () => {
    isLeftover = true
    await handle.truncate(size)
    isLeftover = false
  }

  /** All that waits, in one write and one sync. */
  const flush = async () => {
    // What is appended in this very moment comes along.
    await Promise.resolve()
    while (writes.length > 0) {
      const batch = writes
      writes = []
      try {
        const bytes = Buffer.from(batch.map(({ text }) => text).join(''))
        if (isLeftover) await cut()
        await writeAll(handle, bytes, size)
        if (sync && batch.some(({ kept }) => kept !== undefined)) await handle.datasync()
        size += bytes.length
        for (const { kept } of batch) kept?.resolve()
        if (size > compactFromBytes && size > 2 * held.bytes()) await compact()
      } catch (reason) {
        // The next write tries again.
        await cut().catch(() => {})
        for (const { kept } of batch) kept?.reject(unwritten(at, reason))
      }
    }
    writing = undefined
  }

  const write = (text: string, kept?: Deferred<void>) => {
    writes.push({ text, ...(kept === undefined ? {} : { kept }) })
    writing ??= flush()
  }

  const remove = (entry: JournalEntry) => {
    if (held.delete(entry) && !closed) write(doneLine(entry))
  }

  /** The entries that are left, in a file that takes the place of this one. */
  const compact = async () => {
    const text = [...held.entries.values()].map(({ json }) => addLine(json)).join('')
    const bytes = Buffer.from(text)
    const fresh = await open(`${at}.new`, 'w+')
    try {
      await writeAll(fresh, bytes, 0)
      await fresh.sync()
      await rename(`${at}.new`, at)
    } catch {
      // The old one is as good; the next write tries again.
      await fresh.close()
      await unlink(`${at}.new`)
      return
    }
    await handle.close()
    handle = fresh
    size = bytes.length
    // The lines that wait have entries that are in the new file already: a line twice is one entry.
  }

  return {
    recovered: opened.recovered,
    async append(entry) {
      if (closed) throw new Error(`The journal ${at} is closed.`)
      const printed = keptOf(entry)
      held.add(entry, printed)
      const kept = createDeferred<void>()
      write(addLine(printed.json), kept)
      try {
        await kept.promise
      } catch (reason) {
        // It may be in a file that was written anew meanwhile.
        remove(entry)
        throw reason
      }
    },
    remove,
    async [Symbol.asyncDispose]() {
      if (closed) return
      closed = true
      while (writing !== undefined) await writing
      await handle.close()
      if (held.entries.size === 0) await unlink(at)
      await opened.unlock()
    },
  }
}

const fullDisk = ['ENOSPC', 'EDQUOT', 'EFBIG']

/** `journal-full` where the disk has no room, else `journal-failed`. */
function unwritten(at: string, cause: unknown): Problem {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const isFull = cause instanceof Error && 'code' in cause && fullDisk.includes(String(cause.code))
  return new Problem(
    isFull ? 'journal-full' : 'journal-failed',
    `The write could not be kept in ${at}: ${reason}`,
    { cause },
  )
}

function keptOf(entry: JournalEntry): Kept {
  const json = JSON.stringify(entry)
  return { json, bytes: Buffer.byteLength(json) }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await handle.write(
      bytes,
      written,
      bytes.length - written,
      position + written,
    )
    written += bytesWritten
  }
}
