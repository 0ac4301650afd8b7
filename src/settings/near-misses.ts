/**
 * Finds variables that are probably misspelt settings, such as `DATABSE_URL`. Names without the
 * prefix `TURNLOG_` are no errors, because they may belong to other programs.
 */
import { distance } from 'fastest-levenshtein'
import { type SettingPath, settingList } from './setting-list.ts'
import type { Reading } from './sources.ts'

/** Number of typing mistakes up to which a name counts as misspelt. */
const mistakesMax = 2

/** Shorter names are near many others: `POST` is one mistake from `PORT`. */
const lengthMin = 9

const candidates = settingList.filter(
  ({ env }) => env.length >= lengthMin && !env.startsWith('TURNLOG_'),
)

/**
 * Returns one sentence for each near miss of a setting that no source sets. No sentence has a
 * value, because it may hold a password.
 */
export function nearMisses(
  readings: readonly Reading[],
  sources: ReadonlyMap<SettingPath, string>,
): string[] {
  const unset = candidates.filter(({ path }) => sources.get(path) === 'default')
  return readings
    .flatMap(({ strangers = [] }) => strangers)
    .flatMap(({ name, source }) => {
      const meant = unset.find(({ env }) => distance(name.toUpperCase(), env) <= mistakesMax)
      if (meant === undefined) return []
      return [`${source} is not a setting, and ${meant.env} is unset: did you mean ${meant.env}?`]
    })
}
