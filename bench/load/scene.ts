/**
 * Things that all benches share: number and length of runs, a typical turn, ids of conversations,
 * and checks of programs.
 */

/** Seconds that a run measures, and the number of runs of each side. */
export const seconds = wholeNumber('BENCH_SECONDS', 3)
export const runs = wholeNumber('BENCH_RUNS', 5)

/**
 * The least number of runs for a median that is published. Figures of fewer runs are stored apart.
 */
export const runsEnough = 5

function wholeNumber(name: string, standard: number): number {
  const value = Number(process.env[name] ?? standard)
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`${name} must be a whole number from 1`)
  return value
}

export const question =
  'I want to make a restaurant reservation for 2 people at half past 11 in the morning.'
export const answer = 'What city do you want to dine in? Do you have a preferred restaurant?'

export const turn = { user: { text: question }, assistant: { responses: [answer] } }

export const conversationId = (n: number) =>
  `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`

/** The paths that read the newest `messages` messages of `count` conversations. */
export const newestOf = (count: number, messages: number): string[] =>
  Array.from(
    { length: count },
    (_, n) => `/v1/conversations/${conversationId(n + 1)}/history?last=${messages}`,
  )

const packages: Readonly<Record<string, string>> = {
  pgbench: 'postgresql-contrib or postgresql-client',
  wrk: 'wrk',
  'redis-benchmark': 'redis-tools',
}

/** Throws if one of the programs is not on the PATH. */
export function programsNeeded(...names: string[]): void {
  for (const name of names)
    if (Bun.which(name) === null)
      throw new Error(`${name} is not on the PATH: install it (Debian: ${packages[name] ?? name})`)
}
