/**
 * The lines of a journal's file: a checksum and a JSON object each, so that a line which was cut short
 * is told from one that was changed.
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

/** `entryJson`: the entry as JSON text. */
export const addLine = (entryJson: string): string => lineOf(`{"add":${entryJson}}`)

export const doneLine = ({ conversationId, key }: Pick<JournalEntry, 'conversationId' | 'key'>) =>
  lineOf(JSON.stringify({ done: { conversationId, key } } satisfies Line))

/**
 * What the file tells, and how many of its bytes are whole. What follows those was being written when the
 * writer ended: it was never sent. `damagedAt`: a line is no line, and lines follow it.
 */
export function readLines(file: Uint8Array): {
  readonly lines: readonly Line[]
  readonly wholeBytes: number
  readonly damagedAt?: number
} {
  const lines: Line[] = []
  let wholeBytes = 0
  let torn: number | undefined
  for (let from = 0; from < file.length; ) {
    const end = file.indexOf(newline, from)
    const line = end === -1 ? undefined : readLine(file.subarray(from, end))
    if (line === undefined) torn ??= from
    else if (torn === undefined) {
      lines.push(line)
      wholeBytes = end + 1
    } else return { lines, wholeBytes, damagedAt: torn }
    from = end === -1 ? file.length : end + 1
  }
  return { lines, wholeBytes }
}

function readLine(bytes: Uint8Array): Line | undefined {
  const decoder = new TextDecoder()
  const json = bytes.subarray(checksumLength + 1)
  if (decoder.decode(bytes.subarray(0, checksumLength + 1)) !== `${checksum(json)} `)
    return undefined
  return JSON.parse(decoder.decode(json))
}
