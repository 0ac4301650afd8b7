/** Lines, of which a JSON document that is printed over several counts as one. */
import type { Line } from './lines.ts'

/**
 * Where the first line begins a document and is none, the whole file is read as one, within
 * `bytesMax`; a file that is none either is given line by line. A comma behind a line is cut.
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
    // What begins with a bare bracket is no line: to go on would name every line of it.
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

/** What a list between brackets leaves behind when its brackets are cut off. */
const cut = (text: string) => text.replace(/(?<=[}\]])\s*,$/, '')

function isJsonText(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
