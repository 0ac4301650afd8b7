/** Joins a JSON document that is printed over several lines into one line. */
import type { Line } from './lines.ts'

/**
 * Reads a file as a single JSON document of at most `bytesMax` bytes if its first line starts a
 * document without completing it. If the whole file is not a JSON document either, its lines are
 * yielded one by one. A comma at the end of a line is cut.
 */
export async function* readDocuments(
  lines: AsyncIterable<Line>,
  bytesMax: number,
): AsyncGenerator<Line> {
  let documentLines: Line[] | undefined
  let bytes = 0
  let isFirst = true

  for await (const line of lines) {
    if (isFirst && 'text' in line && beginsDocument(line.text)) documentLines = []
    isFirst = false
    if (documentLines === undefined) {
      yield withoutComma(line)
      continue
    }
    documentLines.push(line)
    bytes += line.bytes + 1
    if (bytes <= bytesMax && 'text' in line) continue
    // A file that starts with a bare bracket has no line to import: without this stop, each line
    // would be reported.
    const refusal = `is a JSON document of several lines and more than ${bytesMax} bytes: raise --line-bytes, or write one conversation per line`
    if (isBare(documentLines[0])) return yield { ...firstOf(documentLines), unusable: refusal }
    for (const one of documentLines) yield withoutComma(one)
    documentLines = undefined
  }
  if (documentLines === undefined) return
  const text = documentLines.map((line) => ('text' in line ? line.text : '')).join('\n')
  const first = firstOf(documentLines)
  if (isJsonText(text)) yield { ...first, bytes, text }
  else if (isBare(documentLines[0]))
    yield {
      ...first,
      unusable:
        'starts a JSON document of several lines, but the file as a whole is not valid JSON: write one conversation per line, as `jq -c .` does',
    }
  else for (const line of documentLines) yield withoutComma(line)
}

const firstOf = ([first]: readonly Line[]) => ({
  number: first?.number ?? 1,
  bytes: first?.bytes ?? 0,
})

const isBare = (line: Line | undefined) =>
  line !== undefined && 'text' in line && /^[[{\s]+$/.test(line.text)

const beginsDocument = (text: string) => /^[[{]/.test(text) && !isJsonText(cut(text))

const withoutComma = (line: Line): Line =>
  'text' in line ? { ...line, text: cut(line.text) } : line

/** Cuts the comma that remains at the end of a line when the brackets around a list are removed. */
const cut = (text: string) => text.replace(/(?<=[}\]])\s*,$/, '')

function isJsonText(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
