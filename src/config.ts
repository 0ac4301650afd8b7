/**
 * Loads the configuration of a process: defaults < `turnlog.toml` < `.env` < environment < flags.
 * All values are checked against the table in `settings.ts`. No other file reads the environment.
 */

import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { Check } from 'typebox/value'
import { contradictions } from './settings/contradictions.ts'
import { nearMisses } from './settings/near-misses.ts'
import {
  type Config,
  type ConfigOverrides,
  type NamedSetting,
  type SettingPath,
  settingList,
} from './settings/setting-list.ts'
import {
  type ConfigProblem,
  type Entry,
  type Reading,
  readDotenv,
  readEnv,
  readFlags,
  readToml,
  type ServiceUrl,
} from './settings/sources.ts'

export { isLoopback } from './settings/contradictions.ts'
export type { Config, ConfigOverrides, ConfigProblem, SettingPath }

export type ConfigInput = {
  /** The words of the command line, without the runtime and the script. */
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** The directory of `turnlog.toml` and `.env`: the working directory. */
  readonly directory: string
  /**
   * Reads a file. Returns undefined if it does not exist, and throws any other failure.
   * @default reads from the disk
   */
  readonly readFile?: (path: string) => string | undefined
}

export type LoadedConfig = {
  readonly config: Config
  /** The source of each setting: `default`, `turnlog.toml:12`, `.env:3 PORT`, … */
  readonly sources: ReadonlyMap<SettingPath, string>
  /** The words of the command line that are not flags: the command and its arguments. */
  readonly rest: readonly string[]
}

export type ExaminedConfig = LoadedConfig & {
  /** The URL of a service in `TURNLOG_URL`, which is no setting: import and export use it. */
  readonly serviceUrl: ServiceUrl | undefined
  /** One sentence for each variable that is probably a misspelt setting which is unset. */
  readonly nearMisses: readonly string[]
  /**
   * The problems. In place of each wrong value, `config` has the value of the next lower source.
   */
  readonly error: ConfigError | undefined
}

/** All problems of a configuration. The message has one line for each. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[]) {
    // A URL that was pasted in place of a name can hold a password, too.
    const safe = problems.map(({ path, source, message }) => ({
      path: withoutPassword(path),
      source: withoutPassword(source),
      message,
    }))
    const lines = safe.map(({ path, source, message }) => `  ${source}: ${path} ${message}`)
    const count = safe.length === 1 ? 'a problem' : `${safe.length} problems`
    super([`The configuration has ${count}:`, ...lines].join('\n'))
    this.problems = safe
  }
}

/**
 * Returns the environment and working directory of the process, for `loadConfig({ argv,
 * ...readEnvironment() })`.
 */
export function readEnvironment(): Pick<ConfigInput, 'env' | 'directory'> {
  return { env: { ...process.env }, directory: process.cwd() }
}

/**
 * Whether a text on this stream may have colours: on a terminal, unless NO_COLOR is set
 * (https://no-color.org).
 */
export function mayColor({ isTTY }: { readonly isTTY?: boolean }): boolean {
  return isTTY === true && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb'
}

/** Loads the configuration from every source. Throws a `ConfigError` with all problems. */
export function loadConfig(input: ConfigInput): LoadedConfig {
  const { error, config, sources, rest } = examineConfig(input)
  if (error !== undefined) throw error
  return { config, sources, rest }
}

/** Loads the configuration like `loadConfig`, but returns the problems instead of throwing them. */
export function examineConfig(input: ConfigInput): ExaminedConfig {
  const { directory, readFile = readTextFile } = input
  const flags = readFlags(input.argv)
  const file = (name: string, read: (text: string, name: string) => Reading): Reading => {
    let text: string | undefined
    try {
      text = readFile(resolve(directory, name))
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined
      return failure(name, name, `cannot be read (${typeof code === 'string' ? code : 'unknown'})`)
    }
    if (text !== undefined) return read(text, name)
    return name === flags.file ? failure(name, 'flag --config', 'does not exist') : emptyReading
  }
  // Later readings take precedence.
  const readings = [
    file(flags.file ?? 'turnlog.toml', readToml),
    file('.env', readDotenv),
    readEnv(input.env),
    flags,
  ]
  const merged = merge(readings, input.env['NODE_ENV'] === 'production')
  return {
    ...merged,
    rest: flags.rest,
    serviceUrl: readings.findLast((reading) => reading.serviceUrl !== undefined)?.serviceUrl,
    nearMisses: nearMisses(readings, merged.sources),
  }
}

/**
 * Makes a configuration from the defaults and some overrides. Reads no source. Throws a
 * `ConfigError`.
 */
export function configWith(overrides: ConfigOverrides = {}): Config {
  const entries: Entry[] = []
  const problems: ConfigProblem[] = []
  for (const [section, values] of Object.entries(overrides)) {
    for (const [key, value] of Object.entries(values ?? {})) {
      const setting = settingList.find((row) => row.section === section && row.key === key)
      const path = `${section}.${key}`
      if (setting === undefined) {
        problems.push({ path, source: 'override', message: 'is not a setting' })
      } else if (value !== undefined) {
        entries.push({ setting, source: 'override', value, isText: false })
      }
    }
  }
  const { config, error } = merge([{ entries, problems }])
  if (error !== undefined) throw error
  return config
}

const emptyReading: Reading = { entries: [], problems: [] }

const failure = (path: string, source: string, message: string): Reading => ({
  entries: [],
  problems: [{ path, source, message }],
})

function readTextFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/**
 * Merges readings. A later one takes precedence. A wrong value is reported even if a later reading
 * replaces it.
 */
function merge(
  readings: readonly Reading[],
  isProduction = false,
): Pick<ExaminedConfig, 'config' | 'sources' | 'error'> {
  const problems = readings.flatMap((reading) => reading.problems)
  const values = new Map<SettingPath, unknown>(settingList.map((row) => [row.path, row.default]))
  const sources = new Map<SettingPath, string>(settingList.map((row) => [row.path, 'default']))
  for (const entry of readings.flatMap((reading) => reading.entries)) {
    const { setting, source } = entry
    const value = entry.isText ? fromText(setting, entry.value) : entry.value
    if (Check(setting.schema, value)) {
      values.set(setting.path, value)
      sources.set(setting.path, source)
    } else {
      const { path } = setting
      problems.push({ path, source, message: expectation(setting, entry.value) })
    }
  }
  const config = nest(values)
  // A wrong URL is one problem: it is not unset, too.
  const wrong = new Set(problems.map(({ path }) => path))
  const found = contradictions(config, sources, isProduction)
  problems.push(...found.filter(({ path }) => path !== 'database.url' || !wrong.has(path)))
  return { config, sources, error: problems.length > 0 ? new ConfigError(problems) : undefined }
}

/**
 * Converts a text to the type of the setting. A text that cannot be converted stays a text, and the
 * check refuses it.
 */
function fromText({ default: value }: NamedSetting, text: unknown): unknown {
  if (typeof text !== 'string') return text
  if (typeof value === 'boolean' && /^(true|false)$/.test(text)) return text === 'true'
  if (typeof value === 'number' && /^[+-]?\d+$/.test(text)) return Number(text)
  return text
}

/** Makes the frozen, nested configuration from values by path. */
function nest(values: ReadonlyMap<SettingPath, unknown>): Config {
  const sections: Record<string, Record<string, unknown>> = {}
  for (const { path, section, key } of settingList) {
    sections[section] = { ...sections[section], [key]: values.get(path) }
  }
  for (const section of Object.values(sections)) Object.freeze(section)
  // The cast is safe: each value is the default of its row or has passed the schema from which
  // Config is made.
  return Object.freeze(sections) as Config
}

function expectation({ expected, secret, example }: NamedSetting, value: unknown): string {
  return `must be ${expected}, ${secret ? `for example ${example}` : `not ${show(value)}`}`
}

function show(value: unknown): string {
  if (typeof value === 'number') return String(value)
  if (Array.isArray(value)) return 'a list'
  if (value instanceof Date) return 'a date'
  if (typeof value === 'object' && value !== null) return 'a table'
  // The password is removed before the text is cut, because it is recognised by the `@` after it.
  const text = withoutPassword(JSON.stringify(value) ?? 'nothing')
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}

function withoutPassword(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s"]*@/gi, '$1***@')
}
