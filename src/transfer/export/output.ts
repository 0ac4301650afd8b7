/** Writes an export to a file, which gets its name when it is complete, or to a stream. */
import { Buffer } from 'node:buffer'
import { open, rename, stat } from 'node:fs/promises'

export type Output = {
  /** Writes a line, and resolves when the next one can be written. */
  write(line: string): Promise<void>
  /** Returns the number of bytes written so far. */
  position(): number
  /** Removes the bytes after a position. Resolves with false if the stream has them already. */
  cut(position: number): Promise<boolean>
  /** Writes the buffered bytes. A file gets its name only now. */
  finish(): Promise<void>
}

const flushBytes = 64 * 1024

type Target = {
  write(bytes: Uint8Array, at: number): Promise<void>
  cut?(position: number): Promise<void>
  finish(): Promise<void>
}

/** Thrown when the reader of the stream has closed it, as `head` does after its last line. */
export class ReaderGone extends Error {
  override readonly name = 'ReaderGone'
}

/**
 * Makes an output that writes to a stream. Its writes reject with `ReaderGone` once the reader has
 * closed it.
 */
export function streamOutput(stream: NodeJS.WritableStream): Output {
  // The callback of each write reports the error.
  stream.on('error', () => {})
  return createOutput({
    write: (bytes) =>
      new Promise((resolve, reject) => {
        stream.write(bytes, (error) => (error ? reject(new ReaderGone(error.message)) : resolve()))
      }),
    finish: async () => {},
  })
}

/**
 * Makes an output that writes to a file. Only the owner may read the file, because conversations
 * are private.
 */
export async function fileOutput(path: string): Promise<Output> {
  const isSpecial = await stat(path).then(
    (found) => !found.isFile(),
    () => false,
  )
  // A file cannot be renamed to a pipe or a device, so those are written directly.
  const writtenPath = isSpecial ? path : `${path}.partial`
  const handle = await open(writtenPath, 'w', 0o600)
  const target: Target = {
    async write(bytes, at) {
      for (let done = 0; done < bytes.byteLength; ) {
        const { bytesWritten } = await handle.write(
          bytes,
          done,
          bytes.byteLength - done,
          isSpecial ? null : at + done,
        )
        done += bytesWritten
      }
    },
    async finish() {
      if (!isSpecial) await handle.sync()
      await handle.close()
      if (!isSpecial) await rename(writtenPath, path)
    },
  }
  return createOutput(isSpecial ? target : { ...target, cut: (at) => handle.truncate(at) })
}

function createOutput(target: Target): Output {
  let buffered: Uint8Array[] = []
  let bufferedBytes = 0
  let sent = 0

  const flush = async () => {
    if (bufferedBytes === 0) return
    const bytes = Buffer.concat(buffered)
    buffered = []
    bufferedBytes = 0
    await target.write(bytes, sent)
    sent += bytes.byteLength
  }
  return {
    async write(line) {
      const bytes = Buffer.from(line)
      buffered.push(bytes)
      bufferedBytes += bytes.byteLength
      if (bufferedBytes >= flushBytes) await flush()
    },
    position: () => sent + bufferedBytes,
    async cut(position) {
      if (position < sent) {
        if (target.cut === undefined) return false
        await target.cut(position)
        sent = position
      }
      buffered = [Buffer.concat(buffered).subarray(0, position - sent)]
      bufferedBytes = position - sent
      return true
    },
    async finish() {
      await flush()
      await target.finish()
    },
  }
}
