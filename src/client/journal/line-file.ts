/** LineFile is the file of a journal: lines that wait are written together, and lines of no more use are left behind. */
import { type FileHandle, open, rename, unlink } from 'node:fs/promises'
import { createDeferred, type Deferred } from '../../mechanics/deferred.ts'
import { Problem } from '../../problem-error.ts'
import type { Held } from './journal.ts'
import { addLine } from './journal-lines.ts'

export type LineFileOptions = {
  readonly path: string
  /** The file's handle, open for reading and writing. */
  readonly handle: FileHandle
  /** How much of the file is lines of the journal, bytes. */
  readonly size: number
  /** The entries that a file written anew must have. */
  readonly held: Held
  /** Whether entries are synced to the disk before they count as kept. */
  readonly sync: boolean
}

type Write = { readonly text: string; readonly kept?: Deferred<void> }

/** A file of less is not written anew. */
const compactFromBytes = 262_144

export class LineFile {
  readonly path: string
  readonly #held: Held
  readonly #sync: boolean
  #handle: FileHandle
  #size: number
  #waiting: Write[] = []
  #writing: Promise<void> | undefined
  #isClosed = false
  /** What a failed write has left behind `#size` could not be cut off. */
  #isLeftover = false

  constructor({ path, handle, size, held, sync }: LineFileOptions) {
    this.path = path
    this.#handle = handle
    this.#size = size
    this.#held = held
    this.#sync = sync
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Writes a line with the next batch. A line that cannot be written is lost. */
  write(text: string, kept?: Deferred<void>): void {
    this.#waiting.push({ text, ...(kept === undefined ? {} : { kept }) })
    this.#writing ??= this.#flush()
  }

  /** Resolves when the line is kept. Rejects with `journal-full` or `journal-failed`. */
  keep(text: string): Promise<void> {
    const kept = createDeferred<void>()
    this.write(text, kept)
    return kept.promise
  }

  /** Writes what waits. A journal without entries leaves no file. */
  async close(): Promise<void> {
    this.#isClosed = true
    while (this.#writing !== undefined) await this.#writing
    await this.#handle.close()
    if (this.#held.entries.size === 0) await unlink(this.path)
  }

  /** All that waits, in one write and one sync at a time. */
  async #flush(): Promise<void> {
    // What is appended in this very moment comes along.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const batch = this.#waiting
      this.#waiting = []
      try {
        await this.#writeBatch(batch)
        if (this.#size > compactFromBytes && this.#size > 2 * this.#held.bytes())
          await this.#compact()
      } catch (reason) {
        // The next write tries again.
        await this.#cut().catch(() => {})
        for (const { kept } of batch) kept?.reject(unwritten(this.path, reason))
      }
    }
    this.#writing = undefined
  }

  async #writeBatch(batch: readonly Write[]): Promise<void> {
    const bytes = Buffer.from(batch.map(({ text }) => text).join(''))
    if (this.#isLeftover) await this.#cut()
    await writeAll(this.#handle, bytes, this.#size)
    if (this.#sync && batch.some(({ kept }) => kept !== undefined)) await this.#handle.datasync()
    this.#size += bytes.length
    for (const { kept } of batch) kept?.resolve()
  }

  async #cut(): Promise<void> {
    this.#isLeftover = true
    await this.#handle.truncate(this.#size)
    this.#isLeftover = false
  }

  /** Puts the entries that are left into a file that takes the place of this one. */
  async #compact(): Promise<void> {
    const text = [...this.#held.entries.values()].map(({ json }) => addLine(json)).join('')
    const bytes = Buffer.from(text)
    const fresh = await open(`${this.path}.new`, 'w+')
    try {
      await writeAll(fresh, bytes, 0)
      await fresh.sync()
      await rename(`${this.path}.new`, this.path)
    } catch {
      // The old one is as good; the next write tries again.
      await fresh.close()
      await unlink(`${this.path}.new`)
      return
    }
    await this.#handle.close()
    this.#handle = fresh
    this.#size = bytes.length
    // The lines that wait have entries that are in the new file already: a line twice is one entry.
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
