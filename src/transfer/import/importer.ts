/** Files of JSON Lines -> conversations of a running service, in constant memory. */
import { Misuse } from '../command-line.ts'
import { type Format, formatOf } from '../formats/formats.ts'
import { strangerOf } from '../formats/resemblance.ts'
import { LineProblem } from '../formats/steps.ts'
import { readDocuments } from '../lines/documents.ts'
import { readLines } from '../lines/lines.ts'
import { parseSourced, type SourcedJson } from '../lines/sourced-json.ts'
import type { Progress } from '../progress.ts'
import type { Rest } from '../rest.ts'
import { createConversationImport } from './conversation-import.ts'
import { createLanes } from './import-lanes.ts'
import { createLineIdentities } from './line-identities.ts'
import { checkValues, tooDeep } from './line-values.ts'
import { refuseRepeated } from './repeated-names.ts'
import type { Place, Tally } from './tally.ts'

/** A file, or whatever else gives bytes. */
export type ImportFile = {
  readonly name: string
  /** What its dialogues' ids are derived from; undefined where the bytes have no place of their own. */
  readonly source: string | undefined
  /** What external ids begin with where that is not the source, as for a source that is a path. */
  readonly externalPrefix?: string
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
  const identities = createLineIdentities()
  let read = 0

  for (const file of files) {
    let format = settings.format
    const { source, externalPrefix = source } = file
    const isChosen = file.externalPrefix === undefined
    identities.enter({ source: source ?? '', isChosen, file: file.name })
    const lines = readLines(file.open(), lineBytesMax)
    for await (const line of readDocuments(lines, lineBytesMax)) {
      tally.count('lines')
      const place: Place = { file: file.name, line: line.number }
      read += line.bytes + 1
      progress.update(Number.isNaN(whole) ? undefined : read / whole, progressText(tally))
      try {
        if ('unusable' in line) throw new LineProblem(line.unusable)
        const json = parse(line.text)
        format ??= formatOf(json.value)
        if (format === undefined) throw new LineProblem(strangerOf(json.value))
        const { ids } = format
        if (ids.length > 0 && source === undefined)
          throw new Misuse(
            `${file.name} has no path to derive conversation ids from: give each stream a name of its own by --source <name>`,
          )
        const identity = identities.of(json, line.text, line.number, ids)
        const digits = checkValues(json, line.text, {
          idMember: identity.name?.member,
          hasTimes: ids.length > 0,
        })
        if (digits > 0)
          tally.kept(new Map([['times in nanoseconds -> a text of their digits', digits]]))
        const block = format.read(json.value, {
          ...identity,
          externalPrefix: externalPrefix ?? '',
          numberText: json.numberText,
          split,
        })
        if (block.strangeTimes !== undefined) tally.strangeTimes(place, block.strangeTimes)
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

function parse(text: string): SourcedJson {
  try {
    const json = parseSourced(text)
    refuseRepeated(text, json.members)
    return json
  } catch (error) {
    if (error instanceof LineProblem) throw error
    if (error instanceof RangeError) throw tooDeep()
    const reason = error instanceof Error ? error.message : 'it cannot be parsed'
    throw new LineProblem(`is not JSON: ${reason.replace(/^JSON Parse error: /, '')}`)
  }
}

function progressText(tally: Tally): string {
  const sum = (...names: Parameters<Tally['of']>[0][]) =>
    names.reduce((total, name) => total + tally.of(name), 0).toLocaleString('en')
  const conversations = sum('conversations new', 'conversations there')
  return `${conversations} conversations, ${sum('turns new', 'turns replayed')} turns`
}
