/** The figures of a bench as text for a terminal. */
import { aimWords, type Comparison, type CpuMicros, judge, medianCpu, shown } from './comparison.ts'

const head = ['name', 'unit', 'ours', 'baseline', 'ratio', 'spread', '(aim)']

/**
 * One line per comparison: `name unit ours baseline ratio spread (aim)`, and below it the CPU of an
 * operation.
 */

export function tableOf(comparisons: readonly Comparison[]): string {
  const rows = comparisons.map(cellsOf)
  const table = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)))
  const isWords = (column: number) => column < 2 || column === head.length - 1
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        isWords(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd()
  const lines = comparisons.map((comparison, n) => {
    const micros = cpuWords(comparison)
    return `${line(rows[n] ?? [])}${micros === '' ? '' : `\n    ${micros}`}`
  })
  return [line(head), ...lines].join('\n')
}

function cellsOf(comparison: Comparison): string[] {
  const { ours, baseline, ratio, spread, isMet } = judge(comparison)
  const aim = aimWords(comparison)
  const verdict = isMet ? 'met' : 'NOT met'
  return [
    `${comparison.name}, against ${comparison.against}`,
    comparison.unit,
    shown(ours),
    shown(baseline),
    shown(ratio),
    `${shown(spread[0])}-${shown(spread[1])}`,
    aim === '' ? '' : `(${aim}: ${verdict})`,
  ]
}

export const partsWords = (micros: CpuMicros): string =>
  Object.entries(micros)
    .map(([part, value]) => `${part} ${shown(value)}`)
    .join(', ')

function cpuWords({ ours, baseline }: Comparison): string {
  const sides = [
    ['ours', medianCpu(ours)],
    ['baseline', medianCpu(baseline)],
  ] as const
  const parts = sides.flatMap(([side, micros]) =>
    Object.keys(micros).length === 0 ? [] : [`${side}: ${partsWords(micros)}`],
  )
  return parts.length === 0 ? '' : `CPU in us each: ${parts.join('; ')}`
}
