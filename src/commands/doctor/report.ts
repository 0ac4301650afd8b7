/** The checks of a report, and how they are printed. */

export const areas = ['runtime', 'settings', 'database', 'redis', 'service'] as const

/**
 * The result of a check. A `note` is worth knowing but not wrong. A `wrong` result has advice.
 */
export type Check = { readonly area: (typeof areas)[number]; readonly name: string } & (
  | { readonly level: 'ok'; readonly finding: string }
  | { readonly level: 'note'; readonly finding: string; readonly advice?: string }
  | { readonly level: 'wrong'; readonly finding: string; readonly advice: string }
)

/** Returns the functions that make the checks of one area. */
export const checksOf = (area: Check['area']) => ({
  ok: (name: string, finding: string): Check => ({ area, name, level: 'ok', finding }),
  note: (name: string, finding: string, advice?: string): Check => ({
    area,
    name,
    level: 'note',
    finding,
    ...(advice === undefined ? {} : { advice }),
  }),
  wrong: (name: string, finding: string, advice: string): Check => ({
    area,
    name,
    level: 'wrong',
    finding,
    advice,
  }),
})

/** Returns the number of checks that are wrong. */
export const wrongIn = (checks: readonly Check[]): number =>
  checks.filter(({ level }) => level === 'wrong').length

/**
 * Prints the checks by area, in columns. The advice of a check follows on its own line after an
 * arrow.
 */
export function reportText(title: string, checks: readonly Check[]): string {
  const width = Math.max(...checks.map(({ name }) => name.length))
  const lines = (check: Check): string[] => {
    const advice = 'advice' in check ? check.advice : undefined
    const first = `  ${check.level.padEnd(5)}  ${check.name.padEnd(width)}  ${check.finding}`
    return advice === undefined ? [first] : [first, `${' '.repeat(width + 11)}-> ${advice}`]
  }
  const parts = areas.flatMap((area) => {
    const found = checks.filter((check) => check.area === area)
    return found.length === 0 ? [] : ['', area, ...found.flatMap(lines)]
  })
  const wrong = wrongIn(checks)
  const verdict =
    wrong === 0 ? 'Nothing is wrong.' : `${wrong} ${wrong === 1 ? 'thing is' : 'things are'} wrong.`
  return `${[title, ...parts, '', verdict].join('\n')}\n`
}
