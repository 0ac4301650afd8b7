/**
 * Checks of the settings: which ones are wrong, which ones are set, and which important ones are
 * unset.
 */
import type { ExaminedConfig } from '../../config.ts'
import { type Check, checksOf } from './report.ts'

const { ok, note, wrong } = checksOf('settings')

export function settingChecks({ config, sources, error, nearMisses }: ExaminedConfig): Check[] {
  const problems = (error?.problems ?? []).map(({ source, path, message }) =>
    wrong(path, `${message} (${source})`, `Correct it in ${source}.`),
  )
  const { database, auth } = config
  // A setting with a wrong value is not reported as unset.
  const isWrong = (path: string) => error?.problems.some((problem) => problem.path === path)
  return [
    ...problems,
    setOnes(sources),
    ...nearMisses.map((nearMiss) => note('misspelt', nearMiss)),
    ...(database.url === undefined && !isWrong('database.url')
      ? [
          note(
            'database.url',
            'unset: an embedded Postgres serves this one process; its data survives a crash of the process, but not of the machine',
            'In production, set DATABASE_URL.',
          ),
        ]
      : []),
    auth.mode === 'none'
      ? note(
          'auth.mode',
          'none: every client that reaches the service can read and write everything',
          'Make sure that only clients you trust can reach the service.',
        )
      : ok('auth.mode', 'unset: only this machine can reach the service'),
    ...(database.allowUnsafe
      ? [
          note(
            'database.allowUnsafe',
            'true: the service starts even on a Postgres that can lose acknowledged turns',
            'Use this setting only if the data may be lost.',
          ),
        ]
      : []),
  ]
}

/**
 * Lists the settings that are set, with their sources. Values are left out, because some are
 * secrets.
 */
function setOnes(sources: ExaminedConfig['sources']): Check {
  const set = [...sources].filter(([, source]) => source !== 'default')
  if (set.length === 0) return ok('set', 'none: every setting has its default')
  return ok('set', set.map(([path, source]) => `${path} (${source})`).join(', '))
}
