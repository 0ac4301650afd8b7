/** Counts what an import did, and names what it could not do by file and line. */
import type { StrangeTimes } from '../formats/message-times.ts'
import type { Kept } from '../formats/steps.ts'

/** The line that a step came from. */
export type Place = { readonly file: string; readonly line: number }

export type Counter =
  | 'conversations new'
  | 'conversations there'
  | 'turns new'
  | 'turns replayed'
  | 'turns moved'
  | 'segments new'
  | 'segments there'
  | 'audio'
  | 'lines'

export class Tally {
  readonly #say: (line: string) => void
  readonly #counts = new Map<Counter, number>()
  readonly #kept = new Map<string, number>()
  readonly #refusals = new Map<string, number>()
  #failures = 0
  #strangeTimes = 0
  #strangeExample = ''
  #held = 0

  /** `say` gets a line for each thing that goes wrong, when it does. */
  constructor(say: (line: string) => void) {
    this.#say = say
  }

  count(what: Counter): void {
    add(this.#counts, what)
  }

  of(...counters: readonly Counter[]): number {
    return counters.reduce((sum, what) => sum + (this.#counts.get(what) ?? 0), 0)
  }

  kept(kept: Kept): void {
    for (const [what, n] of kept) add(this.#kept, what, n)
  }

  /** A line that cannot be used. */
  failed(place: Place, reason: string): void {
    this.#failures += 1
    this.#say(`${at(place)}: ${reason}`)
  }

  /** What the service, or the order of things, does not allow. `isLine`: nothing of the line was recorded. */
  refused(place: Place, what: string, reason: string, isLine = false): void {
    if (isLine) this.#failures += 1
    add(this.#refusals, what)
    this.#say(`${at(place)}: ${reason}`)
  }

  /** What a user should know, and what is no failure. */
  noted(place: Place, text: string): void {
    this.#say(`${at(place)}: ${text}`)
  }

  /** Times that were found and not understood. */
  strangeTimes(place: Place, { count, example = '' }: StrangeTimes): void {
    this.#strangeTimes += count
    if (count > 0 && this.#strangeExample === '') this.#strangeExample = `${example}, ${at(place)}`
  }

  /** A step that was not tried, because an earlier one of its conversation was refused. */
  held(): void {
    this.#held += 1
  }

  /** Whether everything went well. */
  clean(): boolean {
    return this.#failures + this.#held + this.#refusals.size === 0
  }

  summary(): string {
    const rows = [
      ['lines read', number(this.of('lines'))],
      this.#newAndThere('conversations', 'conversations new', 'conversations there'),
      this.#newAndThere('turns', 'turns new', 'turns replayed'),
      ...this.#optionalRows(),
      ['failed lines', number(this.#failures)],
    ] as const
    return `${rows.map(([name, value]) => `  ${name.padEnd(15)} ${value}`).join('\n')}\n`
  }

  #newAndThere(name: string, made: Counter, found: Counter): Row {
    const all = number(this.of(made, found))
    return [name, `${all}  (${number(this.of(made))} new, ${number(this.of(found))} there before)`]
  }

  /** The rows that only some imports have. */
  *#optionalRows(): Generator<Row> {
    if (this.of('segments new', 'segments there') > 0)
      yield this.#newAndThere('segments', 'segments new', 'segments there')
    if (this.of('audio') > 0) yield ['audio attached', number(this.of('audio'))]
    // Conversations are imported side by side, so the order of arrival tells nothing.
    const inOrder = [...this.#kept].sort(([one], [other]) => (one < other ? -1 : 1))
    for (const [what, n] of inOrder) yield ['kept', `${number(n)}  ${what}`]
    if (this.#strangeTimes > 0)
      yield [
        'times not understood',
        `${number(this.#strangeTimes)}  kept as they came, and not used: ${this.#strangeExample}`,
      ]
    if (this.of('turns moved') > 0)
      yield [
        'moved',
        `${number(this.of('turns moved'))}  turns stand at another seq: their conversation had turns of its own`,
      ]
    for (const [what, n] of this.#refusals) yield ['refused', `${number(n)}  ${what}`]
    if (this.#held > 0)
      yield [
        'not tried',
        `${number(this.#held)}  turns and what belongs to them, after a refusal in their conversation: correct it and run again`,
      ]
  }
}

type Row = readonly [name: string, value: string]

const add = <Key>(map: Map<Key, number>, key: Key, n = 1) => map.set(key, (map.get(key) ?? 0) + n)

const at = ({ file, line }: Place): string => `${file}:${line}`

const number = (n: number): string => n.toLocaleString('en')
