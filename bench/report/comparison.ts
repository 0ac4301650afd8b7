/** Ours beside a baseline, run in turn, and what the pairs say: medians, the ratio's spread, and whether an aim is met. */

/** Microseconds of CPU an operation took, by who spent them: server, client, postgres, redis. */
export type CpuMicros = Readonly<Record<string, number>>

/** The figure of one run. */
export type Sample = { readonly value: number; readonly cpu?: CpuMicros }

/** A bound on the ratio, or on our own figure; `Row.better` says to which side of it. */
export type Aim = { readonly of: 'ratio' | 'ours'; readonly bound: number }

/** What is measured. */
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

/** Runs both `runs` times, alternating, so that a machine that drifts drifts for both. */
export async function inTurn(runs: number, ours: Side, baseline: Side) {
  const samples: { ours: Sample[]; baseline: Sample[] } = { ours: [], baseline: [] }
  for (let run = 0; run < runs; run += 1) {
    samples.baseline.push(await baseline())
    samples.ours.push(await ours())
  }
  return samples
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

export type Judged = {
  readonly ours: number
  readonly baseline: number
  /** The median of the pairs' ratios, not the ratio of the medians: each pair shares a moment. */
  readonly ratio: number
  /** Lowest and highest of what the aim is about: the pairs' ratios, or our own figures. */
  readonly spread: readonly [number, number]
  /** How much of the aim is reached, 1 and more being all; of rows that have one. */
  readonly aimShare?: number
  /** The same of the lowest and the highest. */
  readonly aimShareSpread?: readonly [number, number]
  readonly isMet?: boolean
}

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

/** What an operation took, part by part: the median of the runs that tell. */
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

/** Figures as they are shown: three digits, or all before the point. */
export function shown(value: number): string {
  if (!Number.isFinite(value)) return '-'
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toFixed(digits)
}

/** `3.0 or more`. */
export const aimWords = ({ aim, better, unit }: Row): string =>
  aim === undefined
    ? ''
    : `${aim.bound}${aim.of === 'ours' ? ` ${unit}` : ''} or ${better === 'more' ? 'more' : 'less'}`
