/** Splits a stream of bytes of any length into lines of bounded length. */

/**
 * A line with its text, or with the reason why it cannot be used. Blank lines are counted but not
 * yielded.
 */
export type Line = {
  /** Line number in the file, from 1. */
  readonly number: number
  readonly bytes: number
} & ({ readonly text: string } | { readonly unusable: string })

const newline = 0x0a

/**
 * Yields the lines of a file. A line of more than `bytesMax` bytes is skipped and never held in
 * memory.
 */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
  bytesMax: number,
): AsyncGenerator<Line> {
  const utf8 = new TextDecoder('utf-8', { fatal: true })
  let number = 1
  let bytes = 0
  let pieces: Uint8Array[] = []

  const append = (piece: Uint8Array) => {
    bytes += piece.byteLength
    if (bytes <= bytesMax) pieces.push(piece)
    else pieces = []
  }
  const end = (): Line | undefined => {
    const line = { number, bytes }
    const linePieces = pieces
    number += 1
    bytes = 0
    pieces = []
    if (line.bytes > bytesMax)
      return {
        ...line,
        unusable: `has ${line.bytes} bytes, more than the ${bytesMax} that --line-bytes allows`,
      }
    try {
      const text = utf8
        .decode(linePieces.length === 1 ? linePieces[0] : Buffer.concat(linePieces))
        .trim()
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
      append(chunk.subarray(start, stop))
      start = stop + 1
      const line = end()
      if (line !== undefined) yield line
    }
    if (start < chunk.byteLength) append(chunk.subarray(start))
  }
  // The last line may have no newline.
  const line = bytes > 0 ? end() : undefined
  if (line !== undefined) yield line
}
