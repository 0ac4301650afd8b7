/** Settings given as flags. */
import { describe, expect, test } from 'bun:test'
import { load, problemLines } from '../support/loaded-config.ts'

describe('flags', () => {
  test('take their value after = or as the next word, and leave the rest', () => {
    const argv = ['serve', '--server.port', '1', '--host=localhost', 'now', '--', '--port', '2']
    const { config, sources, rest } = load({ argv })
    expect(config.server).toMatchObject({ host: 'localhost', port: 1 })
    expect(sources.get('server.host')).toBe('flag --host')
    expect(rest).toEqual(['serve', 'now', '--port', '2'])
  })

  test('switch on when bare, and do not swallow the verb', () => {
    const { config, rest } = load({ argv: ['--database.allowUnsafe', 'serve'] })
    expect([config.database.allowUnsafe, ...rest]).toEqual([true, 'serve'])
    const off = load({ argv: ['--database.prepare', 'false', '--database.migrateAtStart=false'] })
    expect(off.config.database).toMatchObject({ prepare: false, migrateAtStart: false })
    expect(off.rest).toEqual([])
  })

  test('keep an = inside a value', () => {
    const url = 'postgres://h/db?sslmode=require&a=b'
    expect(load({ argv: [`--database.url=${url}`] }).config.database.url).toBe(url)
  })

  test('name the file to read instead of turnlog.toml', () => {
    const files = { 'turnlog.toml': 'server.port = 1\n', 'conf/a.toml': '\nserver.port = 2\n' }
    const { config, sources } = load({ argv: ['--config', 'conf/a.toml', 'serve'], files })
    expect(config.server.port).toBe(2)
    expect(sources.get('server.port')).toBe('conf/a.toml:2')
  })

  test('refuse a named file that does not exist', () => {
    expect(problemLines({ argv: ['--config=no.toml'] })).toEqual([
      'flag --config: no.toml does not exist',
    ])
  })

  test('refuse a missing value and an unknown name', () => {
    expect(problemLines({ argv: ['--prot=1', '-p', '--host', '--port='] })).toEqual([
      'flag --prot: prot is not a setting; the nearest is --port',
      'flag -p: p is not a setting; the nearest is --port',
      'flag --host: server.host needs a value',
      'flag --port: server.port needs a value',
    ])
  })
})
