/**
 * Reads the four sources of settings: `turnlog.toml`, `.env`, the environment and flags. Each
 * setting becomes an entry with its source. The values are checked elsewhere.
 */

import { parseEnv } from 'node:util'
import { distance } from 'fastest-levenshtein'
import { parse, TomlDate, TomlError } from 'smol-toml'
import { longEnvOf, type NamedSetting, replacedSettings, settingList } from './setting-list.ts'
import { settings } from './settings.ts'
import { printKey, type TomlLines, tomlLines } from './toml-lines.ts'

/** One problem of a configuration. It never holds the value of a secret. */
export type ConfigProblem = {
  /** The path of the setting, or the unknown name as it was written. */
  readonly path: string
  /** The source, such as `turnlog.toml:12`, `.env:3 DATABASE_URL` or `flag --server.port`. */
  readonly source: string
  readonly message: string
}

/** A setting with the value that one source gave it. */
export type Entry = {
  readonly setting: NamedSetting
  readonly source: string
  readonly value: unknown
  /** Whether the value is a text that has to be converted. Only a TOML value has a type already. */
  readonly isText: boolean
}

export type Reading = {
  readonly entries: Entry[]
  readonly problems: ConfigProblem[]
  /** The names without the prefix `TURNLOG_` that are no setting, with their sources. */
  readonly strangers?: readonly Stranger[]
  readonly serviceUrl?: ServiceUrl | undefined
}

/** The URL of a service, which import and export use. */
export type ServiceUrl = { readonly url: string; readonly source: string }

/** A variable of the environment or of `.env` that may belong to another program. */
export type Stranger = { readonly name: string; readonly source: string }

const byPath = new Map<string, NamedSetting>(settingList.map((row) => [row.path, row]))
const byEnv = new Map<string, NamedSetting>(settingList.map((row) => [row.env, row]))
const byFlag = new Map<string, NamedSetting>(
  settingList.flatMap((row) => row.flags.map((flag) => [flag, row] as const)),
)

/**
 * Finds the name to suggest for an unknown one. `candidates` maps each name to compare to its
 * suggestion.
 */
function nearest(name: string, candidates: ReadonlyMap<string, string>): string {
  let best = { suggestion: '', steps: Number.POSITIVE_INFINITY }
  for (const [candidate, suggestion] of candidates) {
    const steps = distance(name.toLowerCase(), candidate.toLowerCase())
    if (steps < best.steps) best = { suggestion, steps }
  }
  return best.suggestion
}

// The last part of a path counts as a near name, too, and so does the long form of a short name.
// Several paths end in `url`: the first row, database.url, is meant most often.
const nearPaths = new Map<string, string>([
  ...settingList.toReversed().map(({ path, key }) => [key, path] as const),
  ...settingList.map(({ path }) => [path, path] as const),
])
const nearEnv = new Map(
  settingList.flatMap(({ env, longEnv }) => [[env, env] as const, [longEnv, env] as const]),
)
const nearFlags = new Map([
  ['config', '--config'] as const,
  ...[...byFlag.keys()].map((flag) => [flag, `--${flag}`] as const),
])
const nearSections = new Map(Object.keys(settings).map((name) => [name, `[${name}]`]))

/** Maps each old name to the new one, for paths and for names in the environment. */
const newNames = new Map(
  Object.entries(replacedSettings).flatMap(([old, path]) => [
    [old, path] as const,
    [longEnvOf(old), byPath.get(path)?.env ?? longEnvOf(path)] as const,
  ]),
)

function unknownName(
  name: string,
  source: string,
  candidates: ReadonlyMap<string, string>,
): ConfigProblem {
  const newName = newNames.get(name)
  if (newName !== undefined)
    return { path: name, source, message: `is not a setting any more: use ${newName} instead` }
  const message = `is not a setting; the nearest is ${nearest(name, candidates)}`
  return { path: name, source, message }
}

const isTable = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof TomlDate)

/** Reads a TOML file. `name` is the name of the file in messages. */
export function readToml(text: string, name: string): Reading {
  const entries: Entry[] = []
  const problems: ConfigProblem[] = []
  let document: Record<string, unknown>
  let lines: TomlLines
  try {
    document = parse(text)
    lines = tomlLines(text)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    // The message has only the first line of the error: the next lines quote the file, which may
    // hold a password.
    const reason = error.message.split('\n')[0]?.replace('Invalid TOML document: ', '')
    const source = `${name}:${error.line}`
    problems.push({
      path: name,
      source,
      message: `is not TOML: ${reason} (column ${error.column})`,
    })
    return { entries, problems }
  }
  const at = (...keys: string[]) => {
    const line = lines(keys)
    return line === undefined ? name : `${name}:${line}`
  }
  for (const [section, table] of Object.entries(document)) {
    const isKnown = Object.hasOwn(settings, section)
    if (!isTable(table)) {
      problems.push(
        isKnown
          ? { path: section, source: at(section), message: 'must be a table of settings' }
          : unknownName(printKey([section]), at(section), nearPaths),
      )
      continue
    }
    const keys = Object.entries(table)
    if (!isKnown && keys.length === 0)
      problems.push(unknownName(printKey([section]), at(section), nearSections))
    for (const [key, value] of keys) {
      const setting = byPath.get(printKey([section, key]))
      const source = at(section, key)
      if (setting === undefined)
        problems.push(unknownName(printKey([section, key]), source, nearPaths))
      else entries.push({ setting, source, value, isText: false })
    }
  }
  return { entries, problems }
}

/** Reads the environment of the process. An empty value counts as unset. */
export function readEnv(env: Readonly<Record<string, string | undefined>>): Reading {
  return readNames(env, (name) => `environment ${name}`)
}

/**
 * Reads a `.env` file. It may hold any name that does not begin with `TURNLOG_`, because other
 * tools use it, too.
 */
export function readDotenv(text: string, name: string): Reading {
  const clean = text.replace(/^\uFEFF/, '')
  const lines = dotenvLines(clean)
  return readNames(parseEnv(clean), (key) => {
    const line = lines.get(key)
    return line === undefined ? `${name} ${key}` : `${name}:${line} ${key}`
  })
}

function readNames(
  env: Readonly<Record<string, string | undefined>>,
  source: (name: string) => string,
): Reading {
  const entries: Entry[] = []
  const problems: ConfigProblem[] = []
  const strangers: Stranger[] = []
  let serviceUrl: ServiceUrl | undefined
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || value === '') continue
    const setting = byEnv.get(name)
    if (setting !== undefined) entries.push({ setting, source: source(name), value, isText: true })
    else if (name === 'TURNLOG_URL') serviceUrl = { url: value, source: source(name) }
    else if (name.startsWith('TURNLOG_')) problems.push(unknownName(name, source(name), nearEnv))
    else strangers.push({ name, source: source(name) })
  }
  return { entries, problems, strangers, serviceUrl }
}

/** Returns the line on which each name was set last. A quoted value can span several lines. */
function dotenvLines(text: string): Map<string, number> {
  const lines = new Map<string, number>()
  const assignment = /^[ \t]*(?:export[ \t]+)?([^\s=#]+)[ \t]*=[ \t]*/my
  let at = 0
  let line = 1
  while (at < text.length) {
    assignment.lastIndex = at
    const match = assignment.exec(text)
    let end = at
    if (match?.[1] !== undefined) {
      lines.set(match[1], line)
      end = at + match[0].length
      const quote = text[end] ?? ''
      const close = /["'`]/.test(quote) ? text.indexOf(quote, end + 1) : -1
      if (close !== -1) end = close
    }
    const newline = text.indexOf('\n', end)
    const next = newline === -1 ? text.length : newline + 1
    line += text.slice(at, next).split('\n').length - 1
    at = next
  }
  return lines
}

/** Reads the command line: settings, the file named by `--config`, and all other words (`rest`). */
export function readFlags(
  argv: readonly string[],
): Reading & { readonly rest: string[]; readonly file: string | undefined } {
  const entries: Entry[] = []
  const problems: ConfigProblem[] = []
  const rest: string[] = []
  let file: string | undefined
  for (let at = 0; at < argv.length; at += 1) {
    const word = argv[at] ?? ''
    if (word === '--') {
      rest.push(...argv.slice(at + 1))
      break
    }
    if (!word.startsWith('-') || word === '-') {
      rest.push(word)
      continue
    }
    const [, name = '', valueAfterSign] = /^--?([^=]*)(?:=([\s\S]*))?$/.exec(word) ?? []
    const source = `flag ${word.startsWith('--') ? '--' : '-'}${name}`
    const setting = word.startsWith('--') ? byFlag.get(name) : undefined
    if (setting === undefined && (name !== 'config' || !word.startsWith('--'))) {
      problems.push(unknownName(name, source, nearFlags))
      continue
    }
    const isSwitch = setting !== undefined && typeof setting.default === 'boolean'
    const next = argv[at + 1]
    let value = valueAfterSign
    if (value === undefined && next !== undefined) {
      // A switch without a value is on. It uses the next word only if that is `true` or `false`.
      const usesNext = isSwitch ? next === 'true' || next === 'false' : !next.startsWith('--')
      if (usesNext) {
        value = next
        at += 1
      }
    }
    if (value === undefined && isSwitch) value = 'true'
    if (value === undefined || value === '') {
      problems.push({ path: setting?.path ?? name, source, message: 'needs a value' })
    } else if (setting === undefined) file = value
    else entries.push({ setting, source, value, isText: true })
  }
  return { entries, problems, rest, file }
}
