/** The command `turnlog config` prints the settings in force and their sources. */

import type { LoadedConfig } from '../config.ts'
import { settingList, settingValue } from '../settings/setting-list.ts'

/** Returns a table of every setting with its value and source. Secrets are masked. */
export function configCommand({
  config,
  sources,
}: Pick<LoadedConfig, 'config' | 'sources'>): string {
  const rows = settingList.map((setting) => {
    const value = settingValue(config, setting)
    const shown = setting.secret && value !== undefined ? maskedUrl(String(value)) : show(value)
    return [setting.path, shown, sources.get(setting.path) ?? 'default'] as const
  })
  const table = [['setting', 'value', 'source'] as const, ...rows]
  const width = (column: 0 | 1) => Math.max(...table.map((row) => row[column].length))
  const [paths, values] = [width(0), width(1)]
  const lines = table.map(
    ([path, value, source]) => `${path.padEnd(paths)}  ${value.padEnd(values)}  ${source}`,
  )
  return `${lines.join('\n')}\n`
}

function show(value: ReturnType<typeof settingValue>): string {
  if (value === undefined) return '(unset)'
  const text = String(value)
  return /^[!-~]+$/.test(text) ? text : JSON.stringify(text)
}

/**
 * Masks a URL. Only its scheme, host and path remain, or its scheme alone if its parts are
 * uncertain.
 */
export function maskedUrl(text: string): string {
  const scheme = /^[a-z-]+:\/\//.exec(text)?.[0]
  if (scheme === undefined) return '***'
  if (!URL.canParse(text)) return `${scheme}***`
  const { username, password, host, pathname, search, hash } = new URL(text)
  const hasUser = username !== '' || password !== ''
  // If a password is not percent-encoded, parts of it may be parsed as host or path.
  const ats = text.split('@').length - 1
  if (ats > (hasUser ? 1 : 0)) return `${scheme}***`
  const query = search === '' && hash === '' ? '' : '?***'
  return `${scheme}${hasUser ? '***:***@' : ''}${host}${pathname}${query}`
}
