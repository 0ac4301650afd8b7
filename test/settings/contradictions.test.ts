/** Settings that contradict each other. */
import { describe, expect, test } from 'bun:test'
import { ConfigError, configWith, isLoopback } from '../../src/config.ts'
import { load, problemLines } from '../support/loaded-config.ts'

describe('a host that other machines reach', () => {
  test('a host that other machines can reach is refused without AUTH=none, with advice', () => {
    for (const host of ['0.0.0.0', '::', '10.0.0.1', 'example.org', '127.0.0.1.example.org']) {
      const [line, ...more] = problemLines({
        files: { 'turnlog.toml': `\nserver.host = "${host}"\n` },
      })
      expect(more).toEqual([])
      expect(line).toStartWith(`turnlog.toml:2: server.host is "${host}", which other machines`)
      expect(line).toContain('AUTH=none')
    }
    expect(() => configWith({ server: { host: '0.0.0.0' } })).toThrow(ConfigError)
  })

  test('a host that other machines can reach is reported together with other problems', () => {
    expect(problemLines({ env: { HOST: '0.0.0.0', PORT: 'x' } })).toHaveLength(2)
  })

  test('a host that other machines can reach is accepted if any source sets auth.mode to none', () => {
    const { config } = load({ env: { HOST: '0.0.0.0' }, argv: ['--auth.mode=none'] })
    expect(config).toMatchObject({ server: { host: '0.0.0.0' }, auth: { mode: 'none' } })
  })

  test('loopback hosts are accepted without AUTH=none, and similar names are not loopback', () => {
    const loopback = ['127.0.0.1', '127.0.0.0', '127.255.255.255', '::1', 'localhost', 'LOCALHOST']
    const others = ['0.0.0.0', '128.0.0.1', '127.0.0.256', '127.0.0', '::', '::11', 'localhost.org']
    expect(loopback.filter(isLoopback)).toEqual(loopback)
    expect(others.filter(isLoopback)).toEqual([])
    for (const host of loopback) expect(load({ env: { HOST: host } }).config.server.host).toBe(host)
  })
})

describe('the embedded Postgres', () => {
  const production = { NODE_ENV: 'production' }

  test('database.embedded=false without a database URL is refused in one sentence', () => {
    expect(problemLines({ files: { 'turnlog.toml': '[database]\nembedded = false\n' } })).toEqual([
      'turnlog.toml:2: database.url is unset, and database.embedded is false: set DATABASE_URL to the URL of a Postgres server',
    ])
    const env = { DATABASE_URL: 'postgres://localhost/x', TURNLOG_DATABASE_EMBEDDED: 'false' }
    expect(load({ env }).config.database.embedded).toBe(false)
  })

  test('NODE_ENV=production refuses the embedded Postgres unless its directory is given', () => {
    expect(problemLines({ env: production })).toEqual([
      'environment NODE_ENV: database.url is unset, and NODE_ENV is production: set DATABASE_URL to the URL of a Postgres server, or TURNLOG_DATA to a directory for the embedded Postgres',
    ])
    for (const more of [{ TURNLOG_DATA: '/data' }, { DATABASE_URL: 'postgres://localhost/x' }])
      expect(() => load({ env: { ...production, ...more } })).not.toThrow()
    const files = { 'turnlog.toml': '[database]\ndataDirectory = "data"\n' }
    expect(() => load({ env: production, files })).not.toThrow()
    expect(() => load({ env: { NODE_ENV: 'development' } })).not.toThrow()
  })

  test('a database URL that is wrong is reported once, not as unset, too', () => {
    const env = { ...production, DATABASE_URL: 'mysql://localhost/x' }
    expect(problemLines({ env })).toEqual([
      expect.stringMatching(/^environment DATABASE_URL: database\.url must be /),
    ])
  })
})

describe('two settings', () => {
  test('two contradicting settings are refused, with the source of the one that was set', () => {
    expect(problemLines({ env: { TURNLOG_DATABASE_LOCK_TIMEOUT_MS: '5000' } })).toEqual([
      'environment TURNLOG_DATABASE_LOCK_TIMEOUT_MS: database.lockTimeoutMs is 5000, but must be below database.deadlineMs, which is 5000',
    ])
    expect(problemLines({ files: { 'turnlog.toml': '[database]\ndeadlineMs = 2000\n' } })).toEqual([
      'turnlog.toml:2: database.deadlineMs is 2000, but must be above database.lockTimeoutMs, which is 2000',
    ])
    expect(problemLines({ argv: ['--writes.waitingBytesMax=131071'] })).toEqual([
      'flag --writes.waitingBytesMax: writes.waitingBytesMax is 131071, but must not be below limits.turnBytesMax, which is 131072',
    ])
    const turns = { 'limits.turnBytesMax': 4096, 'writes.waitingBytesMax': 4095 }
    const argv = Object.entries(turns).map(([path, value]) => `--${path}=${value}`)
    expect(problemLines({ argv })).toEqual([
      'flag --limits.turnBytesMax: limits.turnBytesMax is 4096, but must not be above writes.waitingBytesMax, which is 4095',
    ])
    expect(() => configWith({ database: { deadlineMs: 2000 } })).toThrow(ConfigError)
  })

  test('metadata may not be larger than a turn, unless its limit is the default', () => {
    expect(problemLines({ argv: ['--limits.metadataBytesMax=131073'] })).toEqual([
      'flag --limits.metadataBytesMax: limits.metadataBytesMax is 131073, but must not be above limits.turnBytesMax, which is 131072',
    ])
    const file = '[limits]\nmetadataBytesMax = 4097\nturnBytesMax = 4096\n'
    expect(problemLines({ files: { 'turnlog.toml': file } })).toEqual([
      'turnlog.toml:2: limits.metadataBytesMax is 4097, but must not be above limits.turnBytesMax, which is 4096',
    ])
    for (const limits of [{ turnBytesMax: 4096 }, { turnBytesMax: 4096, metadataBytesMax: 4096 }])
      expect(configWith({ limits }).limits.turnBytesMax).toBe(4096)
  })

  test('the cache and the jobs may not have the same database of one Redis', () => {
    const redis = (cache: string, jobs?: string) =>
      problemLines({
        env: { REDIS_URL: cache, ...(jobs === undefined ? {} : { JOBS_REDIS_URL: jobs }) },
      })
    const why = 'a cache may be flushed and may evict its entries, but jobs must not be lost'
    for (const [cache, jobs] of [
      ['redis://localhost', 'redis://127.0.0.1:6379/0'],
      ['redis://:secret@Cache.example:7000/2', 'rediss://user:other@cache.example:7000/2?x=1'],
      ['redis://[::1]/3', 'redis://localhost/3'],
    ] as const)
      expect(redis(cache, jobs)).toEqual([
        `environment JOBS_REDIS_URL: jobs.url is the same database of the same server as cache.url: ${why}. Use another database, such as 1`,
      ])
    expect(redis('redis://localhost/1')).toEqual([
      `environment REDIS_URL: cache.url is database 1 of its server, which the jobs use if jobs.url is unset: ${why}. Use database 0, or set jobs.url`,
    ])
    for (const [cache, jobs] of [
      ['redis://localhost/0', 'redis://localhost/1'],
      ['redis://localhost/1', 'redis://localhost/0'],
      ['redis://a.example/0', 'redis://b.example/0'],
      ['redis://a.example:1/0', 'redis://a.example:2/0'],
    ] as const)
      expect(load({ env: { REDIS_URL: cache, JOBS_REDIS_URL: jobs } }).config.jobs.url).toBe(jobs)
  })

  test('settings at the bounds of each other are accepted', () => {
    const config = configWith({
      database: { lockTimeoutMs: 1999, deadlineMs: 2000 },
      limits: { turnBytesMax: 4096 },
      writes: { waitingBytesMax: 4096 },
    })
    expect(config.database.deadlineMs).toBe(2000)
  })
})
