/** Misspelt variables. */
import { describe, expect, test } from 'bun:test'
import { examineConfig } from '../../src/config.ts'

const found = (env: Record<string, string>, dotenv?: string) =>
  examineConfig({
    argv: [],
    env,
    directory: '/work',
    readFile: (path) => (path.endsWith('.env') ? dotenv : undefined),
  }).nearMisses

describe('a misspelt variable', () => {
  test('a misspelt variable of an unset setting is named with the right name, without its value', () => {
    expect(found({ DATABSE_URL: 'postgres://u:secret@h/x' })).toEqual([
      'environment DATABSE_URL is not a setting, and DATABASE_URL is unset: did you mean DATABASE_URL?',
    ])
    for (const name of ['DATABASE_URI', 'DATABASEURL', 'database_url', 'REDIS_URI', 'REDIS_ULR'])
      expect([name, found({ [name]: 'x' }).length]).toEqual([name, 1])
    expect(found({}, '\nDATABSE_URL=x\n')).toEqual([
      '.env:2 DATABSE_URL is not a setting, and DATABASE_URL is unset: did you mean DATABASE_URL?',
    ])
  })

  test('a misspelt variable of a setting that is set is not named', () => {
    expect(found({ DATABSE_URL: 'x', DATABASE_URL: 'postgres://localhost/x' })).toEqual([])
  })

  test('variables of other programs and short names are not named', () => {
    const names = [
      'PATH',
      'POST',
      'HOME',
      'HOSTNAME',
      'REDIS_HOST',
      'DATABASE_NAME',
      'PGPORT',
      'DB_URL',
    ]
    expect(found(Object.fromEntries(names.map((name) => [name, 'x'])))).toEqual([])
  })
})
