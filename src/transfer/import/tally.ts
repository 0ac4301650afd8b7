/** What an import did, counted, and what it could not do, named by file and line. */
import type { StrangeTimes } from '../formats/message-times.ts'
import type { Kept } from '../formats/steps.ts'

/** Where a step came from. */
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

export type Tally = {
  count(what: Counter): void
  of(what: Counter): number
  kept(kept: Kept): void
  /** A line that cannot be used. */
  failed(place: Place, reason: string): void
  /** What the service, or the order of things, does not allow. `isLine`: nothing of the line was recorded. */
  refused(place: Place, what: string, reason: string, isLine?: boolean): void
  /** What a user should know, and what is no failure. */
  noted(place: Place, text: string): void
  /** Times that were found and not understood. */
  strangeTimes(place: Place, times: StrangeTimes): void
  /** What was not even tried, for what came before it in its conversation was refused. */
  held(): void
  /** Whether everything went well. */
  clean(): boolean
  summary(): string
}

/** `say` gets a line for each thing that went wrong, when it does. */
export function createTally(say: (line: string) => void): Tally {
  const counts = new Map<Counter, number>()
  const keptCounts = new Map<string, number>()
  const refusals = new Map<string, number>()
  let failures = 0
  let strangeTimes = 0
  let strangeExample = ''
  let held = 0

  const of = (what: Counter) => counts.get(what) ?? 0
  const add = <Key>(map: Map<Key, number>, key: Key, n = 1) => map.set(key, (map.get(key) ?? 0) + n)
  const at = ({ file, line }: Place) => `${file}:${line}`

  return {
    count: (what) => void add(counts, what),
    of,
    kept(kept) {
      for (const [what, n] of kept) add(keptCounts, what, n)
    },
    failed(place, reason) {
      failures += 1
      say(`${at(place)}: ${reason}`)
    },
    refused(place, what, reason, isLine = false) {
      if (isLine) failures += 1
      add(refusals, what)
      say(`${at(place)}: ${reason}`)
    },
    noted: (place, text) => say(`${at(place)}: ${text}`),
    strangeTimes(place, { count, example = '' }) {
      strangeTimes += count
      if (count > 0 && strangeExample === '') strangeExample = `${example}, ${at(place)}`
    },
    held() {
      held += 1
    },
    clean: () => failures + held + refusals.size === 0,
    summary() {
      const conversations = of('conversations new') + of('conversations there')
      const turns = of('turns new') + of('turns replayed')
      const segments = of('segments new') + of('segments there')
      const rows: [string, string][] = [
        ['lines read', number(of('lines'))],
        [
          'conversations',
          `${number(conversations)}  (${number(of('conversations new'))} new, ${number(of('conversations there'))} there before)`,
        ],
        [
          'turns',
          `${number(turns)}  (${number(of('turns new'))} new, ${number(of('turns replayed'))} there before)`,
        ],
      ]
      if (segments > 0)
        rows.push([
          'segments',
          `${number(segments)}  (${number(of('segments new'))} new, ${number(of('segments there'))} there before)`,
        ])
      if (of('audio') > 0) rows.push(['audio attached', number(of('audio'))])
      // Conversations go side by side: which comes first is nobody's order.
      const inOrder = [...keptCounts].sort(([one], [other]) => (one < other ? -1 : 1))
      for (const [what, n] of inOrder) rows.push(['kept', `${number(n)}  ${what}`])
      if (strangeTimes > 0)
        rows.push([
          'times not understood',
          `${number(strangeTimes)}  kept as they came, and not used: ${strangeExample}`,
        ])
      if (of('turns moved') > 0)
        rows.push([
          'moved',
          `${number(of('turns moved'))}  turns stand at another seq: their conversation had turns of its own`,
        ])
      for (const [what, n] of refusals) rows.push(['refused', `${number(n)}  ${what}`])
      if (held > 0)
        rows.push([
          'not tried',
          `${number(held)}  turns and what belongs to them, after a refusal in their conversation: correct it and run again`,
        ])
      rows.push(['failed lines', number(failures)])
      return `${rows.map(([name, value]) => `  ${name.padEnd(15)} ${value}`).join('\n')}\n`
    },
  }
}

const number = (n: number): string => n.toLocaleString('en')
