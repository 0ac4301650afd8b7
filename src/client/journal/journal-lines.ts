/**
 * The lines of a journal's file. Each has a checksum and a JSON object, so that a line that was cut short differs from
 * one that was changed.
 */
import { createHash } from 'node:crypto'
import type { JournalEntry } from './journal.ts'

export type Line =
  | { readonly add: JournalEntry }
  | { readonly done: Pick<JournalEntry, 'conversationId' | 'key'> }

const checksumLength = 16
const newline = 0x0a

const checksum = (json: string | Uint8Array) =>
  createHash('sha256').update(json).digest('hex').slice(0, checksumLength)

const lineOf = (json: string) => `${checksum(json)} ${json}\n`

/** The line that adds an entry, whose JSON text is `entryJson`. */
export const addLine = (entryJson: string): string => lineOf(`{"add":${entryJson}}`)

/** The line that removes an entry. */
export const doneLine = ({ conversationId, key }: Pick<JournalEntry, 'conversationId' | 'key'>) =>
  lineOf(JSON.stringify({ done: { conversationId, key } } satisfies Line))

/**
 * Reads the lines of the file, and counts their bytes in `wholeBytes`. The last line may lack its newline: the writer
 * ended while it wrote the line, and never sent it. A line with its newline may have been sent. `damagedAt` is the
 * position of a complete line that is not a line of a journal. It is 0 if the only line lacks its newline and is not
 * the beginning of a line of a journal.
 */
export function readLines(file: Uint8Array): {
  readonly lines: readonly Line[]
  readonly wholeBytes: number
  readonly damagedAt?: number
} {
  const lines: Line[] = []
  let wholeBytes = 0
  while (wholeBytes < file.length) {
    const end = file.indexOf(newline, wholeBytes)
    if (end === -1) break
    const line = readLine(file.subarray(wholeBytes, end))
    if (line === undefined) return { lines, wholeBytes, damagedAt: wholeBytes }
    lines.push(line)
    wholeBytes = end + 1
  }
  return lines.length === 0 && !isBeginning(file)
    ? { lines, wholeBytes, damagedAt: 0 }
    : { lines, wholeBytes }
}

const beginning = /^[0-9a-f]{16} \{"(add|done)":\{"/
const beginningLength = checksumLength + ' {"done":{"'.length

/** Whether the file may be the first line of a journal that was cut short at any position. */
function isBeginning(file: Uint8Array): boolean {
  const start = new TextDecoder().decode(file.subarray(0, beginningLength))
  return ['add', 'done'].some((kind) => {
    const example = `${'0'.repeat(checksumLength)} {"${kind}":{"`
    return beginning.test(`${start}${example.slice(start.length)}`)
  })
}

function readLine(bytes: Uint8Array): Line | undefined {
  const decoder = new TextDecoder()
  const json = bytes.subarray(checksumLength + 1)
  if (decoder.decode(bytes.subarray(0, checksumLength + 1)) !== `${checksum(json)} `)
    return undefined
  return JSON.parse(decoder.decode(json))
}
