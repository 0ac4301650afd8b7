/**
 * LineFile is the file of a journal. It writes all waiting lines together. When more than half of the file is obsolete,
 * it rewrites the file with the current entries only.
 */
import { type FileHandle, open, rename, unlink } from 'node:fs/promises'
import { createDeferred, type Deferred } from '../../mechanics/deferred.ts'
import { Problem } from '../../problem-error.ts'
import type { JournalContent } from './journal.ts'
import { addLine } from './journal-lines.ts'

export type LineFileOptions = {
  readonly path: string
  /** The file's handle, open for reading and writing. */
  readonly handle: FileHandle
  /** How many bytes of the file are lines of the journal. */
  readonly size: number
  /** The current entries, which a rewritten file must have. */
  readonly content: JournalContent
  /** Whether entries are synced to the disk before they count as stored. */
  readonly sync: boolean
}

/** A line to write. `stored` settles when it is written, or could not be. */
type Write = { readonly text: string; readonly stored?: Deferred<void> }

/** A smaller file is not rewritten, in bytes. */
const compactFromBytes = 262_144

export class LineFile {
  readonly path: string
  readonly #content: JournalContent
  readonly #sync: boolean
  #handle: FileHandle
  #size: number
  #waiting: Write[] = []
  #writing: Promise<void> | undefined
  #isClosed = false
  /** Whether the remains of a failed write after `#size` could not be cut off yet. */
  #hasRemains = false

  constructor({ path, handle, size, content, sync }: LineFileOptions) {
    this.path = path
    this.#handle = handle
    this.#size = size
    this.#content = content
    this.#sync = sync
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Writes a line with the next batch. A line that cannot be written is lost, and `stored` rejects. */
  write(text: string, stored?: Deferred<void>): void {
    this.#waiting.push({ text, ...(stored === undefined ? {} : { stored }) })
    this.#writing ??= this.#flush()
  }

  /** Writes a line and resolves when it is stored. Rejects with `journal-full` or `journal-failed`. */
  store(text: string): Promise<void> {
    const stored = createDeferred<void>()
    this.write(text, stored)
    return stored.promise
  }

  /** Writes the waiting lines and closes the file. A journal without entries leaves no file. */
  async close(): Promise<void> {
    this.#isClosed = true
    while (this.#writing !== undefined) await this.#writing
    await this.#handle.close()
    if (this.#content.entries.size === 0) await unlink(this.path)
  }

  /** Writes batch after batch until no line waits. Each batch is one write and one sync. */
  async #flush(): Promise<void> {
    // Lines that are appended in the same task join the batch.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const batch = this.#waiting
      this.#waiting = []
      try {
        await this.#writeBatch(batch)
        if (this.#size > compactFromBytes && this.#size > 2 * this.#content.bytes())
          await this.#compact()
      } catch (reason) {
        // The next write tries again.
        await this.#cut().catch(() => {})
        for (const { stored } of batch) stored?.reject(writeProblem(this.path, reason))
      }
    }
    this.#writing = undefined
  }

  async #writeBatch(batch: readonly Write[]): Promise<void> {
    const bytes = Buffer.from(batch.map(({ text }) => text).join(''))
    if (this.#hasRemains) await this.#cut()
    await writeAll(this.#handle, bytes, this.#size)
    if (this.#sync && batch.some(({ stored }) => stored !== undefined))
      await this.#handle.datasync()
    this.#size += bytes.length
    for (const { stored } of batch) stored?.resolve()
  }

  /** Cuts off the remains of a failed write. */
  async #cut(): Promise<void> {
    this.#hasRemains = true
    await this.#handle.truncate(this.#size)
    this.#hasRemains = false
  }

  /** Writes the current entries into a new file, which replaces this one. */
  async #compact(): Promise<void> {
    const text = [...this.#content.entries.values()].map(({ json }) => addLine(json)).join('')
    const bytes = Buffer.from(text)
    const fresh = await open(`${this.path}.new`, 'w+')
    try {
      await writeAll(fresh, bytes, 0)
      await fresh.sync()
      await rename(`${this.path}.new`, this.path)
    } catch {
      // The old file is still complete. The next write tries again.
      await fresh.close()
      await unlink(`${this.path}.new`)
      return
    }
    await this.#handle.close()
    this.#handle = fresh
    this.#size = bytes.length
    // The new file already has the entries of the waiting lines. A line that occurs twice is one entry.
  }
}

const fullDisk = ['ENOSPC', 'EDQUOT', 'EFBIG']

/** The problem of a failed write: `journal-full` if the disk has no room, otherwise `journal-failed`. */
function writeProblem(at: string, cause: unknown): Problem {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const isFull = cause instanceof Error && 'code' in cause && fullDisk.includes(String(cause.code))
  return new Problem(
    isFull ? 'journal-full' : 'journal-failed',
    `The write could not be stored in ${at}: ${reason}`,
    { cause },
  )
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
