/**
 * Turnlog against a baseline, run alternately: medians, the spread of the ratio, and whether an aim
 * is met.
 */

/** Microseconds of CPU per operation, by process: server, client, postgres, redis. */
export type CpuMicros = Readonly<Record<string, number>>

/** The figure of one run. */
export type Sample = { readonly value: number; readonly cpu?: CpuMicros }

/** A bound of the ratio or of our own figure. `Row.better` says which side of it is good. */
export type Aim = { readonly of: 'ratio' | 'ours'; readonly bound: number }

/** One measurement: its name, its baseline, its unit and its aim. */
export type Row = {
  readonly name: string
  /** The baseline. */
  readonly against: string
  readonly unit: string
  readonly better: 'more' | 'less'
  readonly aim?: Aim
}

export type Comparison = Row & {
  readonly id: string
  readonly ours: readonly Sample[]
  readonly baseline: readonly Sample[]
}

export type Side = () => Promise<Sample>

/**
 * Runs both sides `runs` times, alternating, so that a machine that slows down does so for both.
 */
export async function inTurn(runs: number, ours: Side, baseline: Side) {
  const samples: { ours: Sample[]; baseline: Sample[] } = { ours: [], baseline: [] }
  for (let run = 0; run < runs; run += 1) {
    samples.baseline.push(await baseline())
    samples.ours.push(await ours())
  }
  return samples
}

/** The middle value, or the mean of the two middle ones. NaN for an empty list. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const [low = Number.NaN, high = Number.NaN] = [
    sorted[Math.ceil(sorted.length / 2) - 1],
    sorted[middle],
  ]
  return (low + high) / 2
}

export type Judged = {
  readonly ours: number
  readonly baseline: number
  /**
   * Median of the ratios of the pairs, not ratio of the medians, because the runs of a pair are
   * close in time.
   */
  readonly ratio: number
  /** Lowest and highest ratio of the pairs, or of our own figures if the aim is about those. */
  readonly spread: readonly [number, number]
  /** Share of the aim that is reached: 1 or more is all of it. Absent if the row has no aim. */
  readonly aimShare?: number
  /** The same share for the lowest and the highest figure. */
  readonly aimShareSpread?: readonly [number, number]
  readonly isMet?: boolean
}

/** Computes medians, ratio and spread of a comparison, and whether it meets its aim. */
export function judge({ ours, baseline, aim, better }: Comparison): Judged {
  const values = ours.map(({ value }) => value)
  const baselines = baseline.map(({ value }) => value)
  const ratios = values.map((value, run) => value / (baselines[run] ?? Number.NaN))
  const about = aim?.of === 'ours' ? values : ratios
  const spread = [Math.min(...about), Math.max(...about)] as const
  const medians = { ours: median(values), baseline: median(baselines), ratio: median(ratios) }
  if (aim === undefined) return { ...medians, spread }
  const share = (figure: number) => (better === 'more' ? figure / aim.bound : aim.bound / figure)
  const aimShare = share(median(about))
  const [one, other] = [share(spread[0]), share(spread[1])]
  const aimShareSpread = [Math.min(one, other), Math.max(one, other)] as const
  return { ...medians, spread, aimShare, aimShareSpread, isMet: aimShare >= 1 }
}

/** Median CPU of an operation by process, over the runs that measured that process. */
export function medianCpu(samples: readonly Sample[]): CpuMicros {
  const parts = new Set(samples.flatMap(({ cpu }) => Object.keys(cpu ?? {})))
  return Object.fromEntries(
    [...parts].map((part) => [
      part,
      median(
        samples.flatMap(({ cpu }) => {
          const spent = cpu?.[part]
          return spent === undefined ? [] : [spent]
        }),
      ),
    ]),
  )
}

/** A figure as text: three digits, or all digits before the point if there are more. */
export function shown(value: number): string {
  if (!Number.isFinite(value)) return '-'
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toFixed(digits)
}

/** The aim as text, such as `3 or more`. Empty if there is none. */
export const aimWords = ({ aim, better, unit }: Row): string =>
  aim === undefined
    ? ''
    : `${aim.bound}${aim.of === 'ours' ? ` ${unit}` : ''} or ${better === 'more' ? 'more' : 'less'}`
