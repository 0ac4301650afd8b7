/**
 * The list of all settings with their names, and the type of the configuration. Both follow from
 * the table.
 */

import type { Static } from 'typebox'
import type { Setting, Value } from './setting-forms.ts'
import { settings } from './settings.ts'

type Table = typeof settings

// The type of a setting without a default includes undefined, because it may be unset.
type ValueOf<Row> =
  Row extends Setting<infer Schema, infer Default>
    ? Static<Schema> | (Default extends undefined ? undefined : never)
    : never

/** The whole configuration, frozen. The names of settings contain their units. */
export type Config = {
  readonly [S in keyof Table]: { readonly [K in keyof Table[S]]: ValueOf<Table[S][K]> }
}

/** Some settings that replace their defaults. */
export type ConfigOverrides = {
  readonly [S in keyof Config]?: { readonly [K in keyof Config[S]]?: Config[S][K] | undefined }
}

/** `section.name` of every setting. */
export type SettingPath = { [S in keyof Table]: `${S}.${keyof Table[S] & string}` }[keyof Table]

/**
 * Settings that were renamed: old path -> new path. A start refuses the old name in every source
 * and prints the new one.
 */
export const replacedSettings: Readonly<Record<string, SettingPath>> = {
  'live.allowedOrigins': 'server.allowedOrigins',
}

/** Makes the long name in the environment: `TURNLOG_` and the path. */
export const longEnvOf = (path: string): string =>
  `TURNLOG_${path.replace(/[A-Z]/g, (letter) => `_${letter}`).replace('.', '_')}`.toUpperCase()

/** A row of the table with all its names. */
export type NamedSetting = Setting & {
  readonly path: SettingPath
  readonly section: string
  readonly key: string
  readonly env: string
  /** `TURNLOG_` and the path, even if the setting has another name in the environment. */
  readonly longEnv: string
  /** The flags without their dashes: the path, then the short form if the setting has one. */
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

/** Returns the value of a setting, or undefined if it is unset. */
export function settingValue(config: Config, { section, key }: NamedSetting): Value {
  const sections: Readonly<Record<string, Readonly<Record<string, Value>>>> = config
  return sections[section]?.[key]
}
