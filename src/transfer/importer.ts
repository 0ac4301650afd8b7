/** Files of JSON Lines -> conversations of a running service, in constant memory. */
import { createConversationImport } from './conversation-import.ts'
import { type Format, formatOf } from './formats.ts'
import { createLanes } from './lanes.ts'
import { readLines } from './lines.ts'
import type { Progress } from './progress.ts'
import type { Rest } from './rest.ts'
import { LineProblem } from './steps.ts'
import type { Place, Tally } from './tally.ts'

/** A file, or whatever else gives bytes. */
export type ImportFile = {
  readonly name: string
  /** What its dialogues' ids are derived from. */
  readonly source: string
  /** Undefined where it is not known. */
  readonly bytes: number | undefined
  open(): AsyncIterable<Uint8Array>
}

export type ImportSettings = {
  /** Undefined: what the first usable line of a file is. */
  readonly format: Format | undefined
  /** The text of an answer -> its parts. */
  readonly split: (text: string) => string[]
  readonly concurrency: number
  readonly lineBytesMax: number
  readonly allowGaps: boolean
}

export async function importFiles(
  files: readonly ImportFile[],
  settings: ImportSettings,
  { rest, tally, progress }: { rest: Rest; tally: Tally; progress: Progress },
): Promise<void> {
  const { allowGaps, split, lineBytesMax } = settings
  const lanes = createLanes(
    { conversations: settings.concurrency, waitingBytesMax: 2 * lineBytesMax },
    ({ conversationId: id, goesOn: needsEnd }) =>
      createConversationImport({ id, needsEnd, rest, tally, allowGaps }),
  )
  const all = files.map(({ bytes }) => bytes)
  const whole = all.reduce<number>((sum, bytes) => sum + (bytes ?? Number.NaN), 0)
  let read = 0

  for (const file of files) {
    let format = settings.format
    for await (const line of readLines(file.open(), lineBytesMax)) {
      tally.count('lines')
      const place: Place = { file: file.name, line: line.number }
      read += line.bytes + 1
      progress.update(Number.isNaN(whole) ? undefined : read / whole, toldOf(tally))
      try {
        if ('unusable' in line) throw new LineProblem(line.unusable)
        const value = parse(line.text)
        format ??= formatOf(value)
        if (format === undefined) throw new LineProblem('is of no format that is known')
        const block = format.read(value, { source: file.source, number: line.number, split })
        if (!block.begins && lanes.current() !== block.conversationId)
          throw new LineProblem(
            `belongs to conversation ${block.conversationId}, whose first line is not before it`,
          )
        await lanes.push(block, place, line.bytes)
      } catch (error) {
        if (!(error instanceof LineProblem)) throw error
        tally.failed(place, error.message)
      }
    }
  }
  await lanes.finish()
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'it cannot be parsed'
    throw new LineProblem(`is not JSON: ${reason.replace(/^JSON Parse error: /, '')}`)
  }
}

function toldOf(tally: Tally): string {
  const sum = (...names: Parameters<Tally['of']>[0][]) =>
    names.reduce((total, name) => total + tally.of(name), 0).toLocaleString('en')
  const conversations = sum('conversations new', 'conversations there')
  return `${conversations} conversations, ${sum('turns new', 'turns replayed')} turns`
}
