/** Settings given as flags. */
import { describe, expect, test } from 'bun:test'
import { load, problemLines } from '../support/loaded-config.ts'

describe('flags', () => {
  test('a flag has its value after = or as the next word, and other words are left alone', () => {
    const argv = ['serve', '--server.port', '1', '--host=localhost', 'now', '--', '--port', '2']
    const { config, sources, rest } = load({ argv })
    expect(config.server).toMatchObject({ host: 'localhost', port: 1 })
    expect(sources.get('server.host')).toBe('flag --host')
    expect(rest).toEqual(['serve', 'now', '--port', '2'])
  })

  test('a command-line switch without a value is on, and does not use the next word as its value', () => {
    const { config, rest } = load({ argv: ['--database.allowUnsafe', 'serve'] })
    expect([config.database.allowUnsafe, ...rest]).toEqual([true, 'serve'])
    const off = load({ argv: ['--database.prepare', 'false', '--database.migrateAtStart=false'] })
    expect(off.config.database).toMatchObject({ prepare: false, migrateAtStart: false })
    expect(off.rest).toEqual([])
  })

  test('a value of a flag may contain =', () => {
    const url = 'postgres://h/db?sslmode=require&a=b'
    expect(load({ argv: [`--database.url=${url}`] }).config.database.url).toBe(url)
  })

  test('the flag --config names the file to read instead of turnlog.toml', () => {
    const files = { 'turnlog.toml': 'server.port = 1\n', 'conf/a.toml': '\nserver.port = 2\n' }
    const { config, sources } = load({ argv: ['--config', 'conf/a.toml', 'serve'], files })
    expect(config.server.port).toBe(2)
    expect(sources.get('server.port')).toBe('conf/a.toml:2')
  })

  test('a file named by --config that does not exist is refused', () => {
    expect(problemLines({ argv: ['--config=no.toml'] })).toEqual([
      'flag --config: no.toml does not exist',
    ])
  })

  test('a flag without a value and an unknown flag are refused', () => {
    expect(problemLines({ argv: ['--prot=1', '-p', '--host', '--port='] })).toEqual([
      'flag --prot: prot is not a setting; the nearest is --port',
      'flag -p: p is not a setting; the nearest is --port',
      'flag --host: server.host needs a value',
      'flag --port: server.port needs a value',
    ])
  })
})
