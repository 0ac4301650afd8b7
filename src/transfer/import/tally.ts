/** Counts what an import did, and names what it could not do by file and line. */
import type { UnusedTimes } from '../formats/message-times.ts'
import type { RelocatedCounts } from '../formats/steps.ts'

/** The line that a step came from. */
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

  /** `say` gets a line for each thing that goes wrong, when it does. */
  constructor(say: (line: string) => void) {
    this.#say = say
  }

  count(what: Counter): void {
    add(this.#counts, what)
  }

  total(...counters: readonly Counter[]): number {
    return counters.reduce((sum, what) => sum + (this.#counts.get(what) ?? 0), 0)
  }

  countRelocated(counts: RelocatedCounts): void {
    for (const [what, n] of counts) add(this.#relocated, what, n)
  }

  /** A line that cannot be used. */
  reportFailure(sourceLine: SourceLine, reason: string): void {
    this.#failures += 1
    this.#say(`${at(sourceLine)}: ${reason}`)
  }

  /** What the service, or the order of things, does not allow. `isLine`: nothing of the line was recorded. */
  reportRefusal(sourceLine: SourceLine, what: string, reason: string, isLine = false): void {
    if (isLine) this.#failures += 1
    add(this.#refusals, what)
    this.#say(`${at(sourceLine)}: ${reason}`)
  }

  /** What a user should know, and what is no failure. */
  reportNote(sourceLine: SourceLine, text: string): void {
    this.#say(`${at(sourceLine)}: ${text}`)
  }

  /** Times that were found and not understood. */
  countUnusedTimes(sourceLine: SourceLine, { count, example = '' }: UnusedTimes): void {
    this.#unusedTimes += count
    if (count > 0 && this.#unusedExample === '')
      this.#unusedExample = `${example}, ${at(sourceLine)}`
  }

  /** A step that was not tried, because an earlier one of its conversation was refused. */
  countSkipped(): void {
    this.#skipped += 1
  }

  /** Whether everything went well. */
  isClean(): boolean {
    return this.#failures + this.#skipped + this.#refusals.size === 0
  }

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
      `${all}  (${number(this.total(made))} new, ${number(this.total(found))} there before)`,
    ]
  }

  /** The rows that only some imports have. */
  *#optionalRows(): Generator<Row> {
    if (this.total('segments new', 'segments found') > 0)
      yield this.#newAndThere('segments', 'segments new', 'segments found')
    if (this.total('audio') > 0) yield ['audio attached', number(this.total('audio'))]
    // Conversations are imported side by side, so the order of arrival tells nothing.
    const inOrder = [...this.#relocated].sort(([one], [other]) => (one < other ? -1 : 1))
    for (const [what, n] of inOrder) yield ['kept', `${number(n)}  ${what}`]
    if (this.#unusedTimes > 0)
      yield [
        'times not understood',
        `${number(this.#unusedTimes)}  kept as they came, and not used: ${this.#unusedExample}`,
      ]
    if (this.total('turns moved') > 0)
      yield [
        'moved',
        `${number(this.total('turns moved'))}  turns stand at another seq: their conversation had turns of its own`,
      ]
    for (const [what, n] of this.#refusals) yield ['refused', `${number(n)}  ${what}`]
    if (this.#skipped > 0)
      yield [
        'not tried',
        `${number(this.#skipped)}  turns and what belongs to them, after a refusal in their conversation: correct it and run again`,
      ]
  }
}

type Row = readonly [name: string, value: string]

const add = <Key>(map: Map<Key, number>, key: Key, n = 1) => map.set(key, (map.get(key) ?? 0) + n)

const at = ({ file, line }: SourceLine): string => `${file}:${line}`

const number = (n: number): string => n.toLocaleString('en')
