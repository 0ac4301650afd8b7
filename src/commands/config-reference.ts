/** `turnlog config --reference` prints the table of settings as Markdown, for documents. */
import { type NamedSetting, settingList } from '../settings/setting-list.ts'
import { settings } from '../settings/settings.ts'

const columns = ['setting', 'environment', 'flag', 'value', 'default', 'what it does']

/** Returns one table for each section, in the order of `turnlog.toml`. */
export function configReference(): string {
  const sections = Object.keys(settings).map((section) => {
    const rows = settingList.filter((row) => row.section === section).map(cells)
    return [`### ${section}`, '', ...[columns, columns.map(() => '---'), ...rows].map(line), '']
  })
  return sections.flat().join('\n')
}

const line = (row: readonly string[]): string =>
  `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`

function cells(setting: NamedSetting): string[] {
  const { path, env, flags, expected, default: value, example, help, secret } = setting
  return [
    code(path),
    code(env),
    flags.map((flag) => code(`--${flag}`)).join(', '),
    expected,
    value === undefined ? `unset; for example ${code(example ?? '')}` : code(String(value)),
    secret ? `${help} The value is a secret.` : help,
  ]
}

const code = (text: string): string => `\`${text}\``
