/** Joins a JSON document that is printed over several lines into one line. */
import type { Line } from './lines.ts'

/**
 * If the first line is the start of a JSON document, and not a whole one, the file is read as a single
 * document of at most `bytesMax` bytes. If the file is not one either, its lines are yielded one by one.
 * A comma at the end of a line is cut.
 */
export async function* readDocuments(
  lines: AsyncIterable<Line>,
  bytesMax: number,
): AsyncGenerator<Line> {
  let held: Line[] | undefined
  let bytes = 0
  let isFirst = true

  for await (const line of lines) {
    if (isFirst && 'text' in line && beginsDocument(line.text)) held = []
    isFirst = false
    if (held === undefined) {
      yield withoutComma(line)
      continue
    }
    held.push(line)
    bytes += line.bytes + 1
    if (bytes <= bytesMax && 'text' in line) continue
    // A file that starts with a bare bracket has no lines to import: reading on would report each of them.
    const refusal = `is a JSON document over several lines and of more than ${bytesMax} bytes: raise --line-bytes, or write one conversation a line`
    if (isBare(held[0])) return yield { ...firstOf(held), unusable: refusal }
    for (const one of held) yield withoutComma(one)
    held = undefined
  }
  if (held === undefined) return
  const text = held.map((line) => ('text' in line ? line.text : '')).join('\n')
  const first = firstOf(held)
  if (isJsonText(text)) yield { ...first, bytes, text }
  else if (isBare(held[0]))
    yield {
      ...first,
      unusable:
        'begins a JSON document over several lines, and the file is not one: write one conversation a line, as `jq -c .` does',
    }
  else for (const line of held) yield withoutComma(line)
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

/** Without the comma that remains when the brackets around a list are removed. */
const cut = (text: string) => text.replace(/(?<=[}\]])\s*,$/, '')

function isJsonText(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
