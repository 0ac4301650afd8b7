/** Counts the results of an import, and reports each failure with its file and line. */
import type { UnusedTimes } from '../formats/message-times.ts'
import type { RelocatedCounts } from '../formats/steps.ts'

/** The file and line number that a step came from. */
export type SourceLine = { readonly file: string; readonly line: number }

export type Counter =
  | 'conversations new'
  | 'conversations found'
  | 'turns new'
  | 'turns replayed'
  | 'turns moved'
  | 'segments new'
  | 'segments found'
  | 'audio'
  | 'lines'

export class Tally {
  readonly #say: (line: string) => void
  readonly #counts = new Map<Counter, number>()
  readonly #relocated = new Map<string, number>()
  readonly #refusals = new Map<string, number>()
  #failures = 0
  #unusedTimes = 0
  #unusedExample = ''
  #skipped = 0

  /** `say` is called with one line for each failure as soon as it happens. */
  constructor(say: (line: string) => void) {
    this.#say = say
  }

  /** Counts the conversations, turns or lines of one kind. */
  count(what: Counter): void {
    add(this.#counts, what)
  }

  /** Returns the sum of some counters. */
  total(...counters: readonly Counter[]): number {
    return counters.reduce((sum, what) => sum + (this.#counts.get(what) ?? 0), 0)
  }

  /** Adds to the counts of values that were stored in another place than their own. */
  countRelocated(counts: RelocatedCounts): void {
    for (const [what, n] of counts) add(this.#relocated, what, n)
  }

  /** Reports a line that cannot be used. */
  reportFailure(sourceLine: SourceLine, reason: string): void {
    this.#failures += 1
    this.#say(`${at(sourceLine)}: ${reason}`)
  }

  /**
   * Reports a refusal of the service or of the import. The summary counts refusals by `what`.
   * `isLine` is true if nothing of the line was recorded.
   */
  reportRefusal(sourceLine: SourceLine, what: string, reason: string, isLine = false): void {
    if (isLine) this.#failures += 1
    add(this.#refusals, what)
    this.#say(`${at(sourceLine)}: ${reason}`)
  }

  /** Reports something that the user should know and that is not a failure. */
  reportNote(sourceLine: SourceLine, text: string): void {
    this.#say(`${at(sourceLine)}: ${text}`)
  }

  /** Counts times that were found but could not be read. */
  countUnusedTimes(sourceLine: SourceLine, { count, example = '' }: UnusedTimes): void {
    this.#unusedTimes += count
    if (count > 0 && this.#unusedExample === '')
      this.#unusedExample = `${example}, ${at(sourceLine)}`
  }

  /** Counts a step that was skipped, because an earlier step of its conversation was refused. */
  countSkipped(): void {
    this.#skipped += 1
  }

  /** Returns true if nothing failed, was refused or was skipped. */
  isClean(): boolean {
    return this.#failures + this.#skipped + this.#refusals.size === 0
  }

  /** Returns the counts as a table for the terminal. */
  summary(): string {
    const rows = [
      ['lines read', number(this.total('lines'))],
      this.#newAndThere('conversations', 'conversations new', 'conversations found'),
      this.#newAndThere('turns', 'turns new', 'turns replayed'),
      ...this.#optionalRows(),
      ['failed lines', number(this.#failures)],
    ] as const
    return `${rows.map(([name, value]) => `  ${name.padEnd(15)} ${value}`).join('\n')}\n`
  }

  #newAndThere(name: string, made: Counter, found: Counter): Row {
    const all = number(this.total(made, found))
    return [
      name,
      `${all}  (${number(this.total(made))} new, ${number(this.total(found))} already stored)`,
    ]
  }

  /** The rows that only some imports have. */
  *#optionalRows(): Generator<Row> {
    if (this.total('segments new', 'segments found') > 0)
      yield this.#newAndThere('segments', 'segments new', 'segments found')
    if (this.total('audio') > 0) yield ['audio attached', number(this.total('audio'))]
    // The rows are sorted: conversations are imported at once, so their order of arrival is random.
    const inOrder = [...this.#relocated].sort(([one], [other]) => (one < other ? -1 : 1))
    for (const [what, n] of inOrder) yield ['kept', `${number(n)}  ${what}`]
    if (this.#unusedTimes > 0)
      yield [
        'times not understood',
        `${number(this.#unusedTimes)}  stored unchanged in the metadata, for example ${this.#unusedExample}`,
      ]
    if (this.total('turns moved') > 0)
      yield [
        'moved',
        `${number(this.total('turns moved'))}  turns have another seq than in the export: their conversation had other turns, or the file has gaps`,
      ]
    for (const [what, n] of this.#refusals) yield ['refused', `${number(n)}  ${what}`]
    if (this.#skipped > 0)
      yield [
        'not tried',
        `${number(this.#skipped)}  turns, segments and audio after a refusal in their conversation: correct its cause and run the import again`,
      ]
  }
}

type Row = readonly [name: string, value: string]

const add = <Key>(map: Map<Key, number>, key: Key, n = 1) => map.set(key, (map.get(key) ?? 0) + n)

const at = ({ file, line }: SourceLine): string => `${file}:${line}`

const number = (n: number): string => n.toLocaleString('en')
