/** Splits a stream of bytes of any length into lines of bounded length. */

/** A line as text, or why it cannot be used. Blank lines are counted and not yielded. */
export type Line = {
  /** Counts from 1. */
  readonly number: number
  readonly bytes: number
} & ({ readonly text: string } | { readonly unusable: string })

const newline = 0x0a

/** A line above the bound is skipped without being kept in memory; the lines after it are read. */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
  bytesMax: number,
): AsyncGenerator<Line> {
  const utf8 = new TextDecoder('utf-8', { fatal: true })
  let number = 1
  let bytes = 0
  let held: Uint8Array[] = []

  const hold = (piece: Uint8Array) => {
    bytes += piece.byteLength
    if (bytes <= bytesMax) held.push(piece)
    else held = []
  }
  const end = (): Line | undefined => {
    const line = { number, bytes }
    const pieces = held
    number += 1
    bytes = 0
    held = []
    if (line.bytes > bytesMax)
      return { ...line, unusable: `has ${line.bytes} bytes, and may have ${bytesMax} at most` }
    try {
      const text = utf8.decode(pieces.length === 1 ? pieces[0] : Buffer.concat(pieces)).trim()
      return text === '' ? undefined : { ...line, text }
    } catch {
      return { ...line, unusable: 'is not UTF-8' }
    }
  }

  for await (const chunk of chunks) {
    let start = 0
    for (;;) {
      const stop = chunk.indexOf(newline, start)
      if (stop === -1) break
      hold(chunk.subarray(start, stop))
      start = stop + 1
      const line = end()
      if (line !== undefined) yield line
    }
    if (start < chunk.byteLength) hold(chunk.subarray(start))
  }
  // The last line may lack its newline.
  const line = bytes > 0 ? end() : undefined
  if (line !== undefined) yield line
}
