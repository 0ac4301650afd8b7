/** The table of settings, and the configuration and output that are made of it. */
import { describe, expect, test } from 'bun:test'
import { configCommand } from '../../src/commands/config.ts'
import { configWith } from '../../src/config.ts'
import { settingList } from '../../src/settings/setting-list.ts'
import { load } from '../support/loaded-config.ts'

describe('a configuration', () => {
  test('a configuration object is frozen', () => {
    const { config } = load({})
    expect(Object.isFrozen(config)).toBe(true)
    expect(Object.values(config).every((section) => Object.isFrozen(section))).toBe(true)
  })

  test('configWith returns the defaults with the overrides', () => {
    const config = configWith({ server: { port: 0 }, database: { url: undefined } })
    expect(config.server).toEqual({ ...configWith().server, port: 0 })
    expect(config).toEqual({ ...configWith(), server: config.server })
  })
})

describe('the table of settings', () => {
  test('no setting name occurs twice, and each default or example of a setting is valid', () => {
    for (const names of [
      settingList.map(({ path }) => path),
      settingList.map(({ env }) => env),
      settingList.flatMap(({ flags }) => flags),
    ])
      expect(new Set(names).size).toBe(names.length)
    for (const { section, key, default: value, example } of settingList)
      expect(() => configWith({ [section]: { [key]: value ?? example } })).not.toThrow()
    const bare = settingList.filter((row) => row.default === undefined && !row.example)
    expect(bare).toEqual([])
  })

  test('each setting has a help of one line', () => {
    for (const { help } of settingList) expect(help).toMatch(/^[A-Z].{5,99}\.$/)
  })
})

describe('turnlog config', () => {
  test('turnlog config prints every setting with its value and source in columns', () => {
    const sourceTexts = { env: { PORT: '8080' }, argv: ['--database.dataDirectory', 'my data'] }
    const lines = configCommand(load(sourceTexts)).split('\n')
    const line = (path: string) => lines.find((one) => one.startsWith(`${path} `))
    expect(lines).toHaveLength(settingList.length + 2)
    expect(line('server.port')).toMatch(/^server\.port +8080 +environment PORT$/)
    expect(line('database.url')).toMatch(/^database\.url +\(unset\) +default$/)
    expect(line('database.prepare')).toMatch(/ +true +default$/)
    expect(line('database.dataDirectory')).toMatch(/ +"my data" +flag --database\.dataDirectory$/)
    const column = lines[0]?.indexOf('source') ?? -1
    expect(line('server.port')?.indexOf('environment')).toBe(column)
    expect(line('server.host')?.indexOf('default')).toBe(column)
  })

  test('turnlog config shows only scheme, host and path of a secret', () => {
    const shown = (url: string) => {
      const text = configCommand(load({ env: { DATABASE_URL: url } }))
      return /^database\.url +(\S+) /m.exec(text)?.[1]
    }
    const urls = {
      'postgres://h:5432/db': 'postgres://h:5432/db',
      'postgres://user:pass@h:5432/db': 'postgres://***:***@h:5432/db',
      'postgresql://user@h/db': 'postgresql://***:***@h/db',
      'postgres://h/db?user=u&password=pass': 'postgres://h/db?***',
      'postgres://user:pa@ss@h/db': 'postgres://***',
      'postgres://user:pa?ss@h/db': 'postgres://***',
      'postgres://user:12?ss@h/db': 'postgres://***',
      'postgres://user:12/ss@h/db': 'postgres://***',
      'postgres://user:12#ss@h/db': 'postgres://***',
      'postgres://user:pa@ss?12@h/db': 'postgres://***',
      'postgres://user:pass@a:1,b:2/db': 'postgres://***',
    }
    expect(Object.keys(urls).map((url) => [url, shown(url)])).toEqual(Object.entries(urls))
  })
})
