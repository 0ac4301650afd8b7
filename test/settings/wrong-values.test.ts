/** The messages about wrong settings, and the masking of secrets in them. */
import { describe, expect, test } from 'bun:test'
import { configWith } from '../../src/config.ts'
import { load, problemLines, refusal, type SourceTexts } from '../support/loaded-config.ts'

describe('the problems of a configuration', () => {
  test('all wrong values are reported together, each with its source, type, unit and range', () => {
    const sources = {
      files: {
        'turnlog.toml': '[server]\nport = "80"\n\n[database]\ndeadlineMs = 0\nprepare = 1\n',
        '.env': '\n\nTURNLOG_WRITES_LANES=5\n',
      },
      env: { PORT: '1e3', AUTH: 'all' },
      argv: ['--limits.turnBytesMax', '12.5'],
    }
    const lines = [
      'turnlog.toml:2: server.port must be a whole number from 0 to 65535, not "80"',
      'turnlog.toml:5: database.deadlineMs must be a whole number of milliseconds from 1 to 600000, not 0',
      'turnlog.toml:6: database.prepare must be true or false, not 1',
      '.env:3 TURNLOG_WRITES_LANES: writes.lanes must be a whole number of lanes from 1 to 4, not "5"',
      'environment PORT: server.port must be a whole number from 0 to 65535, not "1e3"',
      'environment AUTH: auth.mode must be "none", or left unset, not "all"',
      'flag --limits.turnBytesMax: limits.turnBytesMax must be a whole number of bytes from 1024 to 1048576, not "12.5"',
    ]
    expect(problemLines(sources)).toEqual(lines)
    expect(refusal(() => load(sources)).message).toBe(
      ['The configuration has 7 problems:', ...lines.map((line) => `  ${line}`)].join('\n'),
    )
  })

  test('a wrong value is reported even if a later source replaces it', () => {
    const files = { 'turnlog.toml': 'server.port = -1\n' }
    expect(problemLines({ files, argv: ['--port=80'] })).toHaveLength(1)
  })

  test('an unknown name is reported with the nearest known name', () => {
    const toml =
      'url = 1\n[server]\nprot = 1\n[servers]\n[limits]\nlanes.x = 1\n[dtabase]\nurl = ""\n'
    const env = { TURNLOG_LIMIT_PARTS_MAX: '1', TURNLOG_DATABASE_URL: 'x', TURNLOGS: '1' }
    expect(
      problemLines({ files: { 'turnlog.toml': toml, '.env': 'TURNLOG_DATE=x' }, env }),
    ).toEqual([
      'turnlog.toml:1: url is not a setting; the nearest is database.url',
      'turnlog.toml:3: server.prot is not a setting; the nearest is server.port',
      'turnlog.toml:4: servers is not a setting; the nearest is [server]',
      'turnlog.toml:6: limits.lanes is not a setting; the nearest is writes.lanes',
      'turnlog.toml:8: dtabase.url is not a setting; the nearest is database.url',
      '.env:1 TURNLOG_DATE: TURNLOG_DATE is not a setting; the nearest is TURNLOG_DATA',
      'environment TURNLOG_LIMIT_PARTS_MAX: TURNLOG_LIMIT_PARTS_MAX is not a setting; the nearest is TURNLOG_LIMITS_PARTS_MAX',
      'environment TURNLOG_DATABASE_URL: TURNLOG_DATABASE_URL is not a setting; the nearest is DATABASE_URL',
    ])
  })

  test('the old name of a renamed setting is reported with the new name', () => {
    const files = { 'turnlog.toml': '[live]\nallowedOrigins = ""\n' }
    const env = { TURNLOG_LIVE_ALLOWED_ORIGINS: '*' }
    expect(problemLines({ files, env, argv: ['--live.allowedOrigins=*'] })).toEqual([
      'turnlog.toml:2: live.allowedOrigins is not a setting any more: use server.allowedOrigins instead',
      'environment TURNLOG_LIVE_ALLOWED_ORIGINS: TURNLOG_LIVE_ALLOWED_ORIGINS is not a setting any more: use TURNLOG_SERVER_ALLOWED_ORIGINS instead',
      'flag --live.allowedOrigins: live.allowedOrigins is not a setting any more: use server.allowedOrigins instead',
    ])
  })

  test('origins and hosts that no browser sends are refused', () => {
    const good = {
      allowedOrigins: ['*', 'https://app.example', 'http://a:1, app://b,https://[::1]:3', ''],
      allowedHosts: ['*', 'turnlog', 'a_b.example,127.0.0.1, [::1],::1', ''],
    }
    const bad = {
      allowedOrigins: ['app.example', 'null', 'https://a/', 'https://*.a', 'https://a https://b'],
      allowedHosts: ['a:3000', 'http://a', 'a b', '*.a', '127.0.0.1:1', 'a,,b'],
    }
    for (const key of ['allowedOrigins', 'allowedHosts'] as const) {
      for (const value of good[key])
        expect(
          load({ argv: value === '' ? [] : [`--server.${key}=${value}`] }).config.server[key],
        ).toBe(value)
      for (const value of bad[key])
        expect(problemLines({ argv: [`--server.${key}=${value}`] })).toHaveLength(1)
    }
  })

  test('tables, lists and dates in place of a value are refused, and so are values in place of a table', () => {
    const toml =
      'cache = 1979-05-27\nwrites = [1]\n[server]\nhost = [1]\nport.x = 1\n[database]\ndataDirectory = 1979-05-27\nlockTimeoutMs = nan\n[[jobs]]\n'
    expect(problemLines({ files: { 'turnlog.toml': toml } })).toEqual([
      'turnlog.toml:1: cache must be a table of settings',
      'turnlog.toml:2: writes must be a table of settings',
      'turnlog.toml:9: jobs must be a table of settings',
      'turnlog.toml:4: server.host must be a host name or an IP address, not a list',
      'turnlog.toml:5: server.port must be a whole number from 0 to 65535, not a table',
      'turnlog.toml:7: database.dataDirectory must be the path of a directory, not a date',
      'turnlog.toml:8: database.lockTimeoutMs must be a whole number of milliseconds from 1 to 600000, not NaN',
    ])
  })

  test('a quoted dotted key and names of Object.prototype are unknown settings', () => {
    const toml = '"server.port" = 1\nserver.constructor = 1\ntoString = 1\n__proto__.a = 1\n'
    expect(
      problemLines({ files: { 'turnlog.toml': toml } }).map((line) => line.split(' is ')[0]),
    ).toEqual([
      'turnlog.toml:1: "server.port"',
      'turnlog.toml:2: server.constructor',
      'turnlog.toml:3: toString',
      'turnlog.toml:4: __proto__.a',
    ])
  })

  test('a file that is not TOML is reported together with problems of other sources', () => {
    const files = { 'turnlog.toml': '[server]\nport = 1\nport = 2\n' }
    const lines = problemLines({ files, env: { PORT: 'x' } })
    expect(lines).toHaveLength(2)
    expect(lines[0]).toMatch(/^turnlog\.toml:3: turnlog\.toml is not TOML: .+ \(column 1\)$/)
  })

  test('configWith refuses wrong values and unknown names', () => {
    expect(refusal(() => configWith({ writes: { lanes: 9 } })).problems).toEqual([
      {
        path: 'writes.lanes',
        source: 'override',
        message: 'must be a whole number of lanes from 1 to 4, not 9',
      },
    ])
    const misspelt: object = { writes: { lane: 1 } }
    expect(refusal(() => configWith(misspelt)).problems[0]?.path).toBe('writes.lane')
  })
})

describe('a secret', () => {
  const password = 'hunter2'

  test('a secret is in no message, in whichever source and setting it is wrong', () => {
    const bad = `mysql://root:${password}@h/db`
    const sources: SourceTexts[] = [
      { env: { DATABASE_URL: bad, REDIS_URL: password } },
      { files: { '.env': `JOBS_REDIS_URL="${bad}"\nTURNLOG_DB=${password}\n` } },
      { files: { 'turnlog.toml': `[database]\nurl = "${bad}"\nmigrateUrls = "${password}"\n` } },
      { files: { 'turnlog.toml': `database.url = ["${password}"]\n` } },
      { files: { 'turnlog.toml': `database.url = "${bad}\n` } },
      { argv: [`--database.url=${bad}`, `--database.ulr=${bad}`, `--${bad}`] },
      { argv: ['--database.url', bad] },
      // The secret is the value of a setting that is not secret.
      { env: { HOST: bad, PORT: `redis://:${password}${'p'.repeat(60)}@h` } },
      { files: { '.env': `AUTH=${bad}\n` } },
    ]
    for (const source of sources) {
      const { message, problems } = refusal(() => load(source))
      expect(message + JSON.stringify(problems)).not.toContain(password)
    }
  })

  test('the message about a wrong secret shows an example instead of the value', () => {
    expect(problemLines({ env: { REDIS_URL: 'localhost:6379' } })).toEqual([
      'environment REDIS_URL: cache.url must be a URL that begins with redis://, rediss://, redis-cluster://, rediss-cluster://, module: or deno:, for example redis://localhost:6379/0',
    ])
  })

  test('a secret URL is accepted with each scheme of its kind', () => {
    for (const url of ['postgres://h/db', 'postgresql://h/db', 'postgres://a:1,b:2/db'])
      expect(load({ env: { DATABASE_URL: url } }).config.database.url).toBe(url)
    for (const url of ['redis://h', 'rediss://:p@h:6380/2'])
      expect(load({ env: { REDIS_URL: url } }).config.cache.url).toBe(url)
  })
})
