/** The output of an export: a file, which appears only when it is whole, or a stream. */
import { Buffer } from 'node:buffer'
import { open, rename, stat } from 'node:fs/promises'

export type Output = {
  /** Resolves when there is room for more. */
  write(line: string): Promise<void>
  /** How many bytes were written so far. */
  position(): number
  /** Takes back what was written after a position; false where it was sent to the stream already. */
  cut(position: number): Promise<boolean>
  /** Writes what is still buffered. A file gets its name only now. */
  finish(): Promise<void>
}

const flushBytes = 64 * 1024

type Target = {
  write(bytes: Uint8Array, at: number): Promise<void>
  cut?(position: number): Promise<void>
  finish(): Promise<void>
}

/** The reader closed the stream, as `head` does after its last line. */
export class ReaderGone extends Error {
  override readonly name = 'ReaderGone'
}

export function streamOutput(stream: NodeJS.WritableStream): Output {
  // The writer's callback reports the error.
  stream.on('error', () => {})
  return createOutput({
    write: (bytes) =>
      new Promise((resolve, reject) => {
        stream.write(bytes, (error) => (error ? reject(new ReaderGone(error.message)) : resolve()))
      }),
    finish: async () => {},
  })
}

/** Only the owner may read the file: conversations are private. */
export async function fileOutput(path: string): Promise<Output> {
  const isSpecial = await stat(path).then(
    (found) => !found.isFile(),
    () => false,
  )
  // A pipe or a device cannot be renamed to.
  const place = isSpecial ? path : `${path}.partial`
  const handle = await open(place, 'w', 0o600)
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
      if (!isSpecial) await rename(place, path)
    },
  }
  return createOutput(isSpecial ? target : { ...target, cut: (at) => handle.truncate(at) })
}

function createOutput(target: Target): Output {
  let held: Uint8Array[] = []
  let heldBytes = 0
  let sent = 0

  const flush = async () => {
    if (heldBytes === 0) return
    const bytes = Buffer.concat(held)
    held = []
    heldBytes = 0
    await target.write(bytes, sent)
    sent += bytes.byteLength
  }
  return {
    async write(line) {
      const bytes = Buffer.from(line)
      held.push(bytes)
      heldBytes += bytes.byteLength
      if (heldBytes >= flushBytes) await flush()
    },
    position: () => sent + heldBytes,
    async cut(position) {
      if (position < sent) {
        if (target.cut === undefined) return false
        await target.cut(position)
        sent = position
      }
      held = [Buffer.concat(held).subarray(0, position - sent)]
      heldBytes = position - sent
      return true
    },
    async finish() {
      await flush()
      await target.finish()
    },
  }
}
