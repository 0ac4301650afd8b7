/**
 * The documents that are generated from the table of settings. `UPDATE_DOCS=1` writes them.
 */
import { describe, expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'smol-toml'
import Schema from 'typebox/schema'
import { configReference } from '../src/commands/config-reference.ts'
import { configSchema } from '../src/commands/config-schema.ts'
import { settingList } from '../src/settings/setting-list.ts'
import { settings } from '../src/settings/settings.ts'
import { clientReference } from './support/client-reference.ts'

const root = join(import.meta.dir, '..')
const read = (name: string) => readFileSync(join(root, name), 'utf8')
const updates = process.env['UPDATE_DOCS'] === '1'

const begin = '<!-- reference: written by `turnlog config --reference` -->\n'
const end = '<!-- reference: end -->\n'

describe('the reference of settings', () => {
  test('docs/configuration.md contains the generated reference of settings', () => {
    const document = read('docs/configuration.md')
    const [before = '', rest = ''] = document.split(begin)
    const [reference, after = ''] = rest.split(end)
    expect(document).toContain(end)
    const generated = `\n${configReference()}`
    if (updates)
      writeFileSync(
        join(root, 'docs/configuration.md'),
        [before, begin, generated, end, after].join(''),
      )
    else expect(reference).toBe(generated)
  })

  test('the reference has every setting with its names, values, default, help, and whether it is a secret', () => {
    const lines = configReference().split('\n')
    for (const row of settingList) {
      const line = lines.find((one) => one.startsWith(`| \`${row.path}\` |`)) ?? ''
      const cells = line.split(' | ')
      expect(cells[1]).toBe(`\`${row.env}\``)
      expect(cells[2]).toBe(row.flags.map((flag) => `\`--${flag}\``).join(', '))
      expect(cells[3]).toBe(row.expected)
      expect(cells[4]).toContain(`\`${row.default ?? row.example}\``)
      expect(cells[5]).toContain(row.help)
      expect(line.includes('The value is a secret.')).toBe(row.secret === true)
    }
    expect(lines.filter((one) => one.startsWith('### '))).toEqual(
      Object.keys(settings).map((section) => `### ${section}`),
    )
  })
})

describe('the JSON Schema', () => {
  const schema = JSON.parse(configSchema())
  const errors = (toml: string) =>
    Schema.Errors(schema, parse(toml))[1].map(({ instancePath }) => instancePath)

  test('docs/turnlog.schema.json is the generated JSON Schema', () => {
    const path = 'docs/turnlog.schema.json'
    if (updates) writeFileSync(join(root, path), configSchema())
    else expect(read(path)).toBe(configSchema())
  })

  test('the first line of turnlog.toml names the JSON Schema', () => {
    expect(read('turnlog.toml').split('\n')[0]).toBe('#:schema ./docs/turnlog.schema.json')
  })

  test('turnlog.toml fits the JSON Schema, as it is and with every commented line active', () => {
    const text = read('turnlog.toml')
    expect(errors(text)).toEqual([])
    const all = text.replace(/^#(?=[^\s:])/gm, '')
    expect(Object.keys(parse(all))).toEqual(Object.keys(settings))
    expect(errors(all)).toEqual([])
  })

  test('the JSON Schema rejects settings that the service would refuse', () => {
    const wrong = [
      ['server.port = 65536', '/server/port'],
      ['server.port = "80"', '/server/port'],
      ['server.prot = 80', '/server'],
      ['servers.port = 80', ''],
      ['auth.mode = "all"', '/auth/mode'],
      ['database.prepare = 1', '/database/prepare'],
      ['database.url = "mysql://h/db"', '/database/url'],
      ['server = 1', '/server'],
    ] as const
    for (const [toml, pointer] of wrong) expect([toml, ...errors(toml)]).toContain(pointer)
  })

  test('the JSON Schema uses only keywords that TOML editors know', () => {
    const keywords = new Set<string>()
    const walk = (value: object) => {
      for (const [name, inner] of Object.entries(value)) {
        keywords.add(name)
        if (name === 'properties')
          for (const each of Object.values(Object(inner))) walk(Object(each))
      }
    }
    walk(schema)
    const draft4 = 'type additionalProperties properties enum pattern minimum maximum'.split(' ')
    const notes = ['$schema', 'title', 'description', 'default']
    expect([...keywords].filter((name) => ![...draft4, ...notes].includes(name))).toEqual([])
  })
})

describe('docs/client-reference.md', () => {
  test('docs/client-reference.md has the text that the docstrings of the client generate', () => {
    const path = 'docs/client-reference.md'
    if (updates) writeFileSync(join(root, path), clientReference())
    else expect(read(path)).toBe(clientReference())
  })
})
