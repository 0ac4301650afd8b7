/** Every setting with all its names, and the configuration that they make: what follows from the table. */

import type { Static } from 'typebox'
import type { Setting, Value } from './setting-forms.ts'
import { settings } from './settings.ts'

type Table = typeof settings

// A setting without a default may be unset, and its type says so.
type ValueOf<Row> =
  Row extends Setting<infer Schema, infer Default>
    ? Static<Schema> | (Default extends undefined ? undefined : never)
    : never

/** The whole configuration, frozen. Units are in the names. */
export type Config = {
  readonly [S in keyof Table]: { readonly [K in keyof Table[S]]: ValueOf<Table[S][K]> }
}

/** Some settings, to lay over the defaults. */
export type ConfigOverrides = {
  readonly [S in keyof Config]?: { readonly [K in keyof Config[S]]?: Config[S][K] | undefined }
}

/** `section.name` of every setting. */
export type SettingPath = { [S in keyof Table]: `${S}.${keyof Table[S] & string}` }[keyof Table]

/**
 * Settings that another one took the place of. A start refuses the old name, in every source, and
 * says the new one.
 */
export const replacedSettings: Readonly<Record<string, SettingPath>> = {
  'live.allowedOrigins': 'server.allowedOrigins',
}

/** `TURNLOG_` and a path. */
export const longEnvOf = (path: string): string =>
  `TURNLOG_${path.replace(/[A-Z]/g, (letter) => `_${letter}`).replace('.', '_')}`.toUpperCase()

/** A row of the table with all its names. */
export type NamedSetting = Setting & {
  readonly path: SettingPath
  readonly section: string
  readonly key: string
  readonly env: string
  /** `TURNLOG_` and the path, also where the environment's name is another. */
  readonly longEnv: string
  /** Without the dashes: the path, then a short form if there is one. */
  readonly flags: readonly string[]
}

function named(section: string, key: string, setting: Setting): NamedSetting {
  // The two names come from the table's own keys.
  const path = `${section}.${key}` as SettingPath
  const longEnv = longEnvOf(path)
  return {
    ...setting,
    path,
    section,
    key,
    env: setting.env ?? longEnv,
    longEnv,
    flags: setting.flag === undefined ? [path] : [path, setting.flag],
  }
}

/** Every setting, in the order of the table. */
export const settingList: readonly NamedSetting[] = Object.entries(settings).flatMap(
  ([section, rows]) => Object.entries(rows).map(([key, row]) => named(section, key, row)),
)

/** The value of one setting; `undefined` if it is unset. */
export function settingValue(config: Config, { section, key }: NamedSetting): Value {
  const sections: Readonly<Record<string, Readonly<Record<string, Value>>>> = config
  return sections[section]?.[key]
}
