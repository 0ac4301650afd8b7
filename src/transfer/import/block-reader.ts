/** Turns the lines of one file into blocks of steps. */
import { type Format, formatOf } from '../formats/formats.ts'
import { unknownFormatText } from '../formats/resemblance.ts'
import { type Block, LineProblem } from '../formats/steps.ts'
import type { Line } from '../lines/lines.ts'
import { parseSourced, type SourcedJson } from '../lines/sourced-json.ts'
import { Misuse } from '../misuse.ts'
import type { LineIdentities } from './line-identities.ts'
import { checkValues, tooDeep } from './line-values.ts'
import { refuseRepeated } from './repeated-names.ts'
import type { Tally } from './tally.ts'

/** A file or a stream of bytes to import. */
export type ImportFile = {
  readonly name: string
  /**
   * The text that conversation ids are derived from. It is undefined for a stream without a
   * `--source`.
   */
  readonly source: string | undefined
  /** The prefix of external ids if it is not the source. A path is never a prefix. */
  readonly externalPrefix?: string
  /** Size of the file, undefined if it is not known. */
  readonly bytes: number | undefined
  open(): AsyncIterable<Uint8Array>
}

export type BlockSettings = {
  /** The format of every line. If it is undefined, the first usable line of each file decides. */
  readonly format: Format | undefined
  /** Splits the text of an answer into parts. */
  readonly split: (text: string) => string[]
}

export class BlockReader {
  readonly #file: ImportFile
  readonly #split: BlockSettings['split']
  readonly #identities: LineIdentities
  readonly #tally: Tally
  #format: Format | undefined

  constructor(
    file: ImportFile,
    { format, split }: BlockSettings,
    { identities, tally }: { readonly identities: LineIdentities; readonly tally: Tally },
  ) {
    this.#file = file
    this.#format = format
    this.#split = split
    this.#identities = identities
    this.#tally = tally
    const isChosen = file.externalPrefix === undefined
    identities.enter({ source: file.source ?? '', isChosen, file: file.name })
  }

  /**
   * Throws a `LineProblem` for a line that cannot be used, and a `Misuse` if the file needs a
   * `--source`.
   */
  blockOf(line: Line): Block {
    if ('unusable' in line) throw new LineProblem(line.unusable)
    const json = parse(line.text)
    const { ids, read } = this.#formatFor(json.value)
    const identity = this.#identities.of(json, line.text, line.number, ids)
    const digits = checkValues(json, line.text, {
      idMember: identity.name?.member,
      hasTimes: ids.length > 0,
    })
    if (digits > 0)
      this.#tally.countRelocated(
        new Map([['times in nanoseconds -> a text of their digits', digits]]),
      )
    return read(json.value, {
      ...identity,
      externalPrefix: this.#file.externalPrefix ?? this.#file.source ?? '',
      numberText: json.numberText,
      split: this.#split,
    })
  }

  #formatFor(value: unknown): Format {
    this.#format ??= formatOf(value)
    if (this.#format === undefined) throw new LineProblem(unknownFormatText(value))
    if (this.#format.ids.length > 0 && this.#file.source === undefined)
      throw new Misuse(
        `${this.#file.name} has no path to derive conversation ids from: give each stream its own name with --source <name>`,
      )
    return this.#format
  }
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
