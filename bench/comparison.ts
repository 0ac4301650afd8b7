/** Ours beside a baseline, run in turn, and what the pairs say: medians, and the ratio's spread. */

export type Comparison = {
  readonly name: string
  readonly unit: string
  readonly ours: readonly number[]
  readonly baseline: readonly number[]
}

/** Runs both `runs` times, alternating, so that a machine that drifts drifts for both. */
export async function compare(options: {
  name: string
  unit: string
  runs: number
  ours: () => Promise<number>
  baseline: () => Promise<number>
}): Promise<Comparison> {
  const ours: number[] = []
  const baseline: number[] = []
  for (let run = 0; run < options.runs; run += 1) {
    baseline.push(await options.baseline())
    ours.push(await options.ours())
  }
  return { name: options.name, unit: options.unit, ours, baseline }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const [low = Number.NaN, high = Number.NaN] = [
    sorted[Math.ceil(sorted.length / 2) - 1],
    sorted[middle],
  ]
  return (low + high) / 2
}

export function printComparisons(comparisons: readonly Comparison[]): string {
  const round = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(2))
  const rows = comparisons.map(({ name, unit, ours, baseline }) => {
    const ratios = ours.map((value, run) => value / (baseline[run] ?? Number.NaN))
    const spread = `${round(Math.min(...ratios))}-${round(Math.max(...ratios))}`
    return [name, unit, round(median(ours)), round(median(baseline)), round(median(ratios)), spread]
  })
  const table = [['name', 'unit', 'ours', 'baseline', 'ratio', 'spread'], ...rows]
  const widths =
    table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? []
  return table
    .map((row) =>
      row
        .map((cell, column) =>
          column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  '),
    )
    .join('\n')
}
