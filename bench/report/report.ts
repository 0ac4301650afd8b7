/** Makes docs/BENCHMARKS.md and its charts from the stored figures and from bench/notes.md. */
import { type Bar, chartOf } from './chart.ts'
import {
  aimWords,
  type Comparison,
  type CpuMicros,
  type Judged,
  judge,
  medianCpu,
  shown,
} from './comparison.ts'
import type { Machine } from './machine.ts'
import type { Results } from './results.ts'
import { partsWords } from './table.ts'

/** Texts by section: `method`, `profiles`, or the id of a row. */
export type Notes = ReadonlyMap<string, string>

export type Report = {
  readonly markdown: string
  /** SVG texts by file name. The files go to `benchmarks/`. */
  readonly charts: ReadonlyMap<string, string>
}

/** Splits notes.md into its sections, which begin with `## <id>`. */
export function readNotes(text: string): Notes {
  const [, ...sections] = text.split(/^## /m)
  return new Map(
    sections.map((section) => {
      const [title = '', ...lines] = section.split('\n')
      return [title.trim(), lines.join('\n').trim()]
    }),
  )
}

export function reportOf(all: readonly Results[], notes: Notes): Report {
  const charts = new Map<string, string>()
  const chart = (name: string, title: string, comparisons: readonly Comparison[]): string[] => {
    const bars = comparisons.flatMap(barsOf)
    if (bars.length === 0) return []
    charts.set(`${name}.svg`, chartOf(title, bars))
    return [`![${title}](benchmarks/${name}.svg)`, '']
  }
  const aimed = all.flatMap(({ comparisons }) => comparisons.filter(({ aim }) => aim !== undefined))
  const skipped = all.flatMap(({ skipped }) => skipped)
  const lines = [
    '# Benchmarks',
    '',
    '<!-- Written by `bun run bench report` from bench/results and bench/notes.md: change those. -->',
    '',
    ...paragraph(notes.get('method')),
    '## All aims',
    '',
    ...chart('aims', 'Share of each aim that is reached', aimed),
    ...tableOf(
      ['measurement', 'against', 'figure', 'aim', ''],
      aimed.map((comparison) => aimCells(comparison)),
    ),
    ...skipped.map(({ id, because }) => `Skipped: \`${id}\`, because ${because}.\n`),
    '## Machine',
    '',
    ...machinesOf(all),
    ...all.flatMap((results) => [
      `## ${results.bench}`,
      '',
      whenWords(results),
      '',
      ...chart(results.bench, `${results.bench}: share of each aim`, results.comparisons),
      ...figuresOf(results),
      ...results.comparisons.flatMap(({ id, name, against }) => {
        const note = notes.get(id)
        return note === undefined ? [] : [`**${name}, against ${against}.** ${note}`, '']
      }),
      ...['Commands:', '', '```', ...results.commands, '```', ''],
    ]),
    ...paragraph(notes.get('profiles')),
  ]
  return { markdown: `${lines.join('\n').trimEnd()}\n`, charts }
}

const paragraph = (text: string | undefined): string[] => (text === undefined ? [] : [text, ''])

const metWords = ({ isMet }: Judged): string => (isMet === true ? 'met' : 'not met')

const spreadWords = ({ spread: [low, high] }: Judged): string => `${shown(low)} to ${shown(high)}`

/** The figure that the aim is about: the ratio, or our own figure with its unit. */
const judgedWords = ({ aim, unit }: Comparison, judged: Judged): string =>
  aim?.of === 'ours' ? `${shown(judged.ours)} ${unit}` : shown(judged.ratio)

function barsOf(comparison: Comparison): Bar[] {
  const judged = judge(comparison)
  const { aimShare, aimShareSpread } = judged
  if (aimShare === undefined || aimShareSpread === undefined) return []
  const figure = `${judgedWords(comparison, judged)} (${aimWords(comparison)})`
  const { name: label, against } = comparison
  return [{ label, against: `against ${against}`, aimShare, spread: aimShareSpread, figure }]
}

function aimCells(comparison: Comparison): string[] {
  const judged = judge(comparison)
  const { name, against } = comparison
  const figure = judgedWords(comparison, judged)
  return [name, against, figure, aimWords(comparison), metWords(judged)]
}

/** The table of a bench. The columns of CPU are left out if no run measured it. */
function figuresOf({ comparisons }: Results): string[] {
  const cpuCells = comparisons.map(({ ours, baseline }) => [
    partsWords(medianCpu(ours)),
    partsWords(medianCpu(baseline)),
  ])
  const hasCpu = cpuCells.flat().some((cell) => cell !== '')
  const rows = comparisons.map((comparison, index) => {
    const judged = judge(comparison)
    const { name, against, unit } = comparison
    return [
      name,
      against,
      `${shown(judged.ours)} ${unit}`,
      shown(judged.baseline),
      shown(judged.ratio),
      spreadWords(judged),
      ...(hasCpu ? (cpuCells[index] ?? []) : []),
    ]
  })
  const head = ['measurement', 'against', 'ours', 'baseline', 'ratio', 'spread']
  const cpuHead = ['CPU of ours, us', 'CPU of the baseline, us']
  return tableOf([...head, ...(hasCpu ? cpuHead : [])], rows)
}

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line), '']
}

const whenWords = ({ date, runs, secondsPerRun, machine }: Results): string =>
  `${date.slice(0, 10)}, ${runs} runs of ${secondsPerRun} s, Turnlog ${machine.versions['turnlog']}, ` +
  `load average before: ${machine.loadBefore}.`

/**
 * Tables of the machines, one for each group of benches that ran on the same machine and versions.
 */
function machinesOf(all: readonly Results[]): string[] {
  const groups = Map.groupBy(all, ({ machine }) => JSON.stringify(machineRows(machine)))
  return [...groups.values()].flatMap((group) => {
    const [first] = group
    if (first === undefined) return []
    const names = group.map(({ bench }) => bench).join(', ')
    return [
      ...(groups.size > 1 ? [`Benches ${names}:`, ''] : []),
      ...tableOf(['', ''], machineRows(first.machine)),
    ]
  })
}

function machineRows(machine: Machine): string[][] {
  const { turnlog: _, ...versions } = machine.versions
  const pairsText = (facts: CpuMicros | Readonly<Record<string, string>>, sign: string) =>
    Object.entries(facts)
      .map(([name, value]) => `${name}${sign}${value}`)
      .join(', ')
  return [
    ['processor', `${machine.cpu}, ${machine.cores} cores for everything`],
    ['memory', `${machine.memoryGb} GB`],
    ['system', `${machine.system}; the data on ${machine.fileSystem}`],
    ['Postgres', pairsText(machine.postgres, '=')],
    ['versions', pairsText(versions, ' ')],
  ]
}
