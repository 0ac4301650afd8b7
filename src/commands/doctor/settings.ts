/** What a doctor says of the settings: what is wrong with them, and what matters and is unset. */
import type { ExaminedConfig } from '../../config.ts'
import { type Check, checksOf } from './report.ts'

const { ok, note, wrong } = checksOf('settings')

export function settingChecks({ config, sources, error }: ExaminedConfig): Check[] {
  const problems = (error?.problems ?? []).map(({ source, path, message }) =>
    wrong(path, `${message} (${source})`, `Correct it there: ${source}.`),
  )
  const { database, auth } = config
  // A value of the wrong kind is not unset.
  const isWrong = (path: string) => error?.problems.some((problem) => problem.path === path)
  return [
    ...problems,
    setOnes(sources),
    ...(database.url === undefined && !isWrong('database.url')
      ? [
          note(
            'database.url',
            'unset: the embedded Postgres, for one process; it survives a crash of the process, not of the machine',
            'For anything serious, set DATABASE_URL.',
          ),
        ]
      : []),
    auth.mode === 'none'
      ? note(
          'auth.mode',
          'none: whoever reaches the service may read and write everything',
          'Let nobody reach it but what you trust.',
        )
      : ok('auth.mode', 'unset: the service is for this machine alone'),
    ...(database.allowUnsafe
      ? [
          note(
            'database.allowUnsafe',
            'true: the service starts on a Postgres that can lose turns it has confirmed',
            'Use it where the data may go, and nowhere else.',
          ),
        ]
      : []),
  ]
}

/** Where each comes from, and no value: some are secrets. */
function setOnes(sources: ExaminedConfig['sources']): Check {
  const set = [...sources].filter(([, source]) => source !== 'default')
  if (set.length === 0) return ok('set', 'nothing: everything has its default')
  return ok('set', set.map(([path, source]) => `${path} (${source})`).join(', '))
}
