/** The example files of the configuration: turnlog.toml and .env.example. */
import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'smol-toml'
import { configWith } from '../../src/config.ts'
import { settingList, settingValue } from '../../src/settings/setting-list.ts'
import { settings } from '../../src/settings/settings.ts'
import { load } from '../support/loaded-config.ts'

describe('the example files', () => {
  const read = (name: string) => readFileSync(join(import.meta.dir, '../..', name), 'utf8')
  /**
   * Uncomments the settings. A line is a setting (`#name`), prose (`# text`) or for editors
   * (`#:name`).
   */
  const uncommented = (text: string) => text.replace(/^#(?=[^\s:])/gm, '')
  const shown = settingList.map((setting) => [setting.path, setting.default ?? setting.example])

  test('the example files set nothing', () => {
    const files = { 'turnlog.toml': read('turnlog.toml'), '.env': read('.env.example') }
    const { config, sources } = load({ files })
    expect(config).toEqual(configWith())
    expect(new Set(sources.values())).toEqual(new Set(['default']))
  })

  test('turnlog.toml shows every setting with its help and its default', () => {
    const text = read('turnlog.toml')
    const { config, sources } = load({ files: { 'turnlog.toml': uncommented(text) } })
    expect(settingList.map((row) => [row.path, settingValue(config, row)])).toEqual(shown)
    for (const { path, key, help } of settingList) {
      const lines = text.split('\n')
      const at = Number(sources.get(path)?.replace('turnlog.toml:', '')) - 1
      expect(lines[at]).toStartWith(`#${key} = `)
      expect(lines.slice(Math.max(0, at - 2), at)).toContain(`# ${help}`)
    }
    expect(Object.keys(parse(text))).toEqual(Object.keys(settings))
  })

  test('.env.example shows every setting with a short name and every secret', () => {
    const text = read('.env.example')
    const listed = settingList.filter((row) => row.secret || row.env !== row.longEnv)
    expect([...text.matchAll(/^#(\S+?)=/gm)].map(([, name]) => name)).toEqual(
      listed.map(({ env }) => env),
    )
    const { config } = load({ files: { '.env': uncommented(text) } })
    for (const row of listed) {
      const value = row.default ?? row.example
      expect(settingValue(config, row)).toBe(value)
      expect(text).toContain(`# ${row.path}: ${row.help}\n#${row.env}=${value}\n`)
    }
  })
})
