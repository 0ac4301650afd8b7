/** Settings: where they come from, which one wins, and what is said about wrong ones. */
import { describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'smol-toml'
import { configCommand } from '../src/commands/config.ts'
import {
  ConfigError,
  configWith,
  isLoopback,
  type LoadedConfig,
  loadConfig,
  readEnvironment,
} from '../src/config.ts'
import { settingList, settingValue } from '../src/settings/setting-list.ts'
import { settings } from '../src/settings/settings.ts'
import { tomlLines } from '../src/settings/toml-lines.ts'

type Given = { argv?: string[]; env?: Record<string, string>; files?: Record<string, string> }

const load = ({ argv = [], env = {}, files = {} }: Given): LoadedConfig =>
  loadConfig({
    argv,
    env,
    directory: '/work',
    readFile: (path) => files[path.replace('/work/', '')],
  })

function refusal(run: () => unknown): ConfigError {
  try {
    run()
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('it was not refused')
}

/** Each problem as one line. */
const wrong = (given: Given) =>
  refusal(() => load(given)).problems.map((one) => `${one.source}: ${one.path} ${one.message}`)

describe('the sources', () => {
  test('give the defaults where nothing is set', () => {
    const { config, sources, rest } = load({})
    expect(config).toEqual({
      server: {
        host: '127.0.0.1',
        port: 3000,
        shutdownGraceSeconds: 30,
        allowedOrigins: '',
        allowedHosts: '',
        slowRequestMs: 1000,
      },
      log: { level: 'info', format: 'auto', requests: false },
      auth: { mode: undefined },
      database: {
        url: undefined,
        migrateUrl: undefined,
        dataDirectory: '.turnlog',
        connectionsMax: 10,
        prepare: true,
        deadlineMs: 5000,
        lockTimeoutMs: 2000,
        connectTimeoutMs: 2000,
        startWaitSeconds: 30,
        migrateAtStart: true,
        allowUnsafe: false,
      },
      cache: {
        url: undefined,
        ttlSeconds: 600,
        deadlineMs: 15,
        memoryBytesMax: 67_108_864,
        readyBytesMax: 67_108_864,
      },
      jobs: { url: undefined },
      writes: {
        lanes: 2,
        batchTurnsMax: 128,
        batchBytesMax: 1_048_576,
        waitingTurnsMax: 4096,
        waitingBytesMax: 67_108_864,
      },
      live: {
        pingSeconds: 20,
        pollMs: 5000,
        silentPollMs: 500,
        subscriptionsMax: 128,
        framesPerSecond: 5000,
        bufferSoftBytes: 262_144,
        bufferHardBytes: 4_194_304,
        pageBytesMax: 131_072,
      },
      voice: {
        seatSeconds: 120,
        seatsMax: 64,
        sessionGraceSeconds: 30,
        heldAudioSeconds: 600,
        heldAudioMax: 256,
      },
      limits: {
        turnBytesMax: 131_072,
        partsMax: 64,
        traceBytesMax: 65_536,
        metadataBytesMax: 16_384,
        jsonDepthMax: 32,
        urlsMax: 64,
        pageLimitMax: 200,
        changesBytesMax: 1_048_576,
        historyMessagesMax: 10_000,
        aheadSecondsMax: 300,
      },
    })
    expect(new Set(sources.values())).toEqual(new Set(['default']))
    expect(sources.size).toBe(settingList.length)
    expect(rest).toEqual([])
  })

  test('win in the order file, .env, environment, flags, and are named', () => {
    const files = { 'turnlog.toml': '[server]\nport = 1001\n', '.env': '# ours\nPORT=1002\n' }
    const env = { PORT: '1003' }
    const seen = [
      load({ files: { 'turnlog.toml': files['turnlog.toml'] } }),
      load({ files }),
      load({ files, env }),
      load({ files, env, argv: ['--server.port=1004'] }),
    ].map(({ config, sources }) => [config.server.port, sources.get('server.port')])
    expect(seen).toEqual([
      [1001, 'turnlog.toml:2'],
      [1002, '.env:2 PORT'],
      [1003, 'environment PORT'],
      [1004, 'flag --server.port'],
    ])
  })

  test('take the name made from the path where a setting has no short one', () => {
    const { config, sources } = load({ env: { TURNLOG_LIMITS_TURN_BYTES_MAX: '2048' } })
    expect(config.limits.turnBytesMax).toBe(2048)
    expect(sources.get('limits.turnBytesMax')).toBe('environment TURNLOG_LIMITS_TURN_BYTES_MAX')
  })

  test('count an empty name in the environment as unset, also where a file sets it', () => {
    const given = { files: { '.env': 'PORT=4000\nHOST=\n' }, env: { PORT: '', TURNLOG_NONE: '' } }
    const { config, sources } = load(given)
    expect(config.server).toMatchObject({ host: '127.0.0.1', port: 4000 })
    expect(sources.get('server.host')).toBe('default')
  })

  test('read text as numbers and switches', () => {
    const env = { TURNLOG_DATABASE_PREPARE: 'false', TURNLOG_WRITES_LANES: '4' }
    const { config } = load({ env })
    expect(config.database.prepare).toBe(false)
    expect(config.writes.lanes).toBe(4)
  })

  test('find a line of .env past quoted lines, comments, exports and a repeated name', () => {
    const text =
      '\uFEFFHOST=\'::1\' # ours\r\nPORT=1\r\n\r\n  export PORT = 4000\r\nNOTE="\r\nPORT=2"\r\n# PORT=3\r\nAUTH=none\r\n'
    const { config, sources } = load({ files: { '.env': text } })
    expect(config.server).toMatchObject({ host: '::1', port: 4000 })
    expect(sources.get('server.port')).toBe('.env:4 PORT')
    expect(sources.get('server.host')).toBe('.env:1 HOST')
    expect(sources.get('auth.mode')).toBe('.env:8 AUTH')
  })

  test('leave names of other tools in .env alone', () => {
    expect(load({ files: { '.env': 'POTR=1\nAWS_REGION=x\n' } }).config).toEqual(configWith())
  })

  test('are the files of a directory and the environment of the process', () => {
    const directory = mkdtempSync(join(tmpdir(), 'turnlog-config-'))
    try {
      writeFileSync(join(directory, 'turnlog.toml'), 'writes.lanes = 3\n')
      writeFileSync(join(directory, '.env'), 'PORT=4001\n')
      const { config } = loadConfig({ argv: [], env: {}, directory })
      expect([config.writes.lanes, config.server.port]).toEqual([3, 4001])
      mkdirSync(join(directory, 'folder.toml'))
      const argv = ['--config', 'folder.toml']
      const { problems } = refusal(() => loadConfig({ argv, env: {}, directory }))
      expect(problems.map(({ path }) => path)).toEqual(['folder.toml'])
      expect(problems[0]?.message).toStartWith('cannot be read')
    } finally {
      rmSync(directory, { recursive: true })
    }
    expect(readEnvironment()).toEqual({ env: { ...process.env }, directory: process.cwd() })
  })
})

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
    expect(wrong({ argv: ['--config=no.toml'] })).toEqual(['flag --config: no.toml does not exist'])
  })

  test('refuse a missing value and an unknown name', () => {
    expect(wrong({ argv: ['--prot=1', '-p', '--host', '--port='] })).toEqual([
      'flag --prot: prot is not a setting; the nearest is --port',
      'flag -p: p is not a setting; the nearest is --port',
      'flag --host: server.host needs a value',
      'flag --port: server.port needs a value',
    ])
  })
})

describe('what is wrong', () => {
  test('is told all at once, each with its source, type, unit and range', () => {
    const given = {
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
    expect(wrong(given)).toEqual(lines)
    expect(refusal(() => load(given)).message).toBe(
      ['The configuration has 7 problems:', ...lines.map((line) => `  ${line}`)].join('\n'),
    )
  })

  test('includes a value that a later source covers', () => {
    const files = { 'turnlog.toml': 'server.port = -1\n' }
    expect(wrong({ files, argv: ['--port=80'] })).toHaveLength(1)
  })

  test('includes unknown names, with the nearest known one', () => {
    const toml =
      'url = 1\n[server]\nprot = 1\n[servers]\n[limits]\nlanes.x = 1\n[dtabase]\nurl = ""\n'
    const env = { TURNLOG_LIMIT_PARTS_MAX: '1', TURNLOG_DATABASE_URL: 'x', TURNLOGS: '1' }
    expect(wrong({ files: { 'turnlog.toml': toml, '.env': 'TURNLOG_DATE=x' }, env })).toEqual([
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

  test('includes the old name of a setting that was replaced, with the new one', () => {
    const files = { 'turnlog.toml': '[live]\nallowedOrigins = ""\n' }
    const env = { TURNLOG_LIVE_ALLOWED_ORIGINS: '*' }
    expect(wrong({ files, env, argv: ['--live.allowedOrigins=*'] })).toEqual([
      'turnlog.toml:2: live.allowedOrigins is not a setting any more: use server.allowedOrigins instead',
      'environment TURNLOG_LIVE_ALLOWED_ORIGINS: TURNLOG_LIVE_ALLOWED_ORIGINS is not a setting any more: use TURNLOG_SERVER_ALLOWED_ORIGINS instead',
      'flag --live.allowedOrigins: live.allowedOrigins is not a setting any more: use server.allowedOrigins instead',
    ])
  })

  test('includes origins and hosts that no browser would send', () => {
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
        expect(wrong({ argv: [`--server.${key}=${value}`] })).toHaveLength(1)
    }
  })

  test('includes tables, lists and dates where a value belongs, and the other way round', () => {
    const toml =
      'cache = 1979-05-27\nwrites = [1]\n[server]\nhost = [1]\nport.x = 1\n[database]\ndataDirectory = 1979-05-27\nlockTimeoutMs = nan\n[[jobs]]\n'
    expect(wrong({ files: { 'turnlog.toml': toml } })).toEqual([
      'turnlog.toml:1: cache must be a table of settings',
      'turnlog.toml:2: writes must be a table of settings',
      'turnlog.toml:9: jobs must be a table of settings',
      'turnlog.toml:4: server.host must be a host name or an IP address, not a list',
      'turnlog.toml:5: server.port must be a whole number from 0 to 65535, not a table',
      'turnlog.toml:7: database.dataDirectory must be the path of a directory, not a date',
      'turnlog.toml:8: database.lockTimeoutMs must be a whole number of milliseconds from 1 to 600000, not NaN',
    ])
  })

  test('takes a quoted dotted key and names of Object.prototype for unknown', () => {
    const toml = '"server.port" = 1\nserver.constructor = 1\ntoString = 1\n__proto__.a = 1\n'
    expect(wrong({ files: { 'turnlog.toml': toml } }).map((line) => line.split(' is ')[0])).toEqual(
      [
        'turnlog.toml:1: "server.port"',
        'turnlog.toml:2: server.constructor',
        'turnlog.toml:3: toString',
        'turnlog.toml:4: __proto__.a',
      ],
    )
  })

  test('stands beside what is wrong elsewhere when the file is not TOML', () => {
    const files = { 'turnlog.toml': '[server]\nport = 1\nport = 2\n' }
    const lines = wrong({ files, env: { PORT: 'x' } })
    expect(lines).toHaveLength(2)
    expect(lines[0]).toMatch(/^turnlog\.toml:3: turnlog\.toml is not TOML: .+ \(column 1\)$/)
  })

  test('is found by configWith, too', () => {
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

  test('is in no message, wherever it is wrong', () => {
    const bad = `mysql://root:${password}@h/db`
    const places: Given[] = [
      { env: { DATABASE_URL: bad, REDIS_URL: password } },
      { files: { '.env': `JOBS_REDIS_URL="${bad}"\nTURNLOG_DB=${password}\n` } },
      { files: { 'turnlog.toml': `[database]\nurl = "${bad}"\nmigrateUrls = "${password}"\n` } },
      { files: { 'turnlog.toml': `database.url = ["${password}"]\n` } },
      { files: { 'turnlog.toml': `database.url = "${bad}\n` } },
      { argv: [`--database.url=${bad}`, `--database.ulr=${bad}`, `--${bad}`] },
      { argv: ['--database.url', bad] },
      // In the place of a setting that is no secret.
      { env: { HOST: bad, PORT: `redis://:${password}${'p'.repeat(60)}@h` } },
      { files: { '.env': `AUTH=${bad}\n` } },
    ]
    for (const place of places) {
      const { message, problems } = refusal(() => load(place))
      expect(message + JSON.stringify(problems)).not.toContain(password)
    }
  })

  test('has an example in its place', () => {
    expect(wrong({ env: { REDIS_URL: 'localhost:6379' } })).toEqual([
      'environment REDIS_URL: cache.url must be a URL that begins with redis://, rediss://, redis-cluster://, rediss-cluster://, module: or deno:, for example redis://localhost:6379/0',
    ])
  })

  test('takes both spellings of its scheme', () => {
    for (const url of ['postgres://h/db', 'postgresql://h/db', 'postgres://a:1,b:2/db'])
      expect(load({ env: { DATABASE_URL: url } }).config.database.url).toBe(url)
    for (const url of ['redis://h', 'rediss://:p@h:6380/2'])
      expect(load({ env: { REDIS_URL: url } }).config.cache.url).toBe(url)
  })
})

describe('a host that other machines reach', () => {
  test('is refused without auth, with what to do', () => {
    for (const host of ['0.0.0.0', '::', '10.0.0.1', 'example.org', '127.0.0.1.example.org']) {
      const [line, ...more] = wrong({ files: { 'turnlog.toml': `\nserver.host = "${host}"\n` } })
      expect(more).toEqual([])
      expect(line).toStartWith(`turnlog.toml:2: server.host is "${host}", which other machines`)
      expect(line).toContain('AUTH=none')
    }
    expect(() => configWith({ server: { host: '0.0.0.0' } })).toThrow(ConfigError)
  })

  test('is one problem among the others', () => {
    expect(wrong({ env: { HOST: '0.0.0.0', PORT: 'x' } })).toHaveLength(2)
  })

  test('is served when auth is none, said anywhere', () => {
    const { config } = load({ env: { HOST: '0.0.0.0' }, argv: ['--auth.mode=none'] })
    expect(config).toMatchObject({ server: { host: '0.0.0.0' }, auth: { mode: 'none' } })
  })

  test('is told from the loopback ones', () => {
    const loopback = ['127.0.0.1', '127.0.0.0', '127.255.255.255', '::1', 'localhost', 'LOCALHOST']
    const others = ['0.0.0.0', '128.0.0.1', '127.0.0.256', '127.0.0', '::', '::11', 'localhost.org']
    expect(loopback.filter(isLoopback)).toEqual(loopback)
    expect(others.filter(isLoopback)).toEqual([])
    for (const host of loopback) expect(load({ env: { HOST: host } }).config.server.host).toBe(host)
  })
})

describe('two settings', () => {
  test('that cannot stand together are refused, with the place of the one that was set', () => {
    expect(wrong({ env: { TURNLOG_DATABASE_LOCK_TIMEOUT_MS: '5000' } })).toEqual([
      'environment TURNLOG_DATABASE_LOCK_TIMEOUT_MS: database.lockTimeoutMs is 5000, and must be below database.deadlineMs, which is 5000',
    ])
    expect(wrong({ files: { 'turnlog.toml': '[database]\ndeadlineMs = 2000\n' } })).toEqual([
      'turnlog.toml:2: database.deadlineMs is 2000, and must be above database.lockTimeoutMs, which is 2000',
    ])
    expect(wrong({ argv: ['--writes.waitingBytesMax=131071'] })).toEqual([
      'flag --writes.waitingBytesMax: writes.waitingBytesMax is 131071, and must not be below limits.turnBytesMax, which is 131072',
    ])
    const turns = { 'limits.turnBytesMax': 4096, 'writes.waitingBytesMax': 4095 }
    const argv = Object.entries(turns).map(([path, value]) => `--${path}=${value}`)
    expect(wrong({ argv })).toEqual([
      'flag --limits.turnBytesMax: limits.turnBytesMax is 4096, and must not be above writes.waitingBytesMax, which is 4095',
    ])
    expect(() => configWith({ database: { deadlineMs: 2000 } })).toThrow(ConfigError)
  })

  test('never let metadata be larger than its turn, unless by default', () => {
    expect(wrong({ argv: ['--limits.metadataBytesMax=131073'] })).toEqual([
      'flag --limits.metadataBytesMax: limits.metadataBytesMax is 131073, and must not be above limits.turnBytesMax, which is 131072',
    ])
    const file = '[limits]\nmetadataBytesMax = 4097\nturnBytesMax = 4096\n'
    expect(wrong({ files: { 'turnlog.toml': file } })).toEqual([
      'turnlog.toml:2: limits.metadataBytesMax is 4097, and must not be above limits.turnBytesMax, which is 4096',
    ])
    for (const limits of [{ turnBytesMax: 4096 }, { turnBytesMax: 4096, metadataBytesMax: 4096 }])
      expect(configWith({ limits }).limits.turnBytesMax).toBe(4096)
  })

  test('never give the cache and the jobs the same database of one Redis', () => {
    const redis = (cache: string, jobs?: string) =>
      wrong({ env: { REDIS_URL: cache, ...(jobs === undefined ? {} : { JOBS_REDIS_URL: jobs }) } })
    const why = 'a cache may be flushed and may evict what it holds, and jobs must not be lost'
    for (const [cache, jobs] of [
      ['redis://localhost', 'redis://127.0.0.1:6379/0'],
      ['redis://:secret@Cache.example:7000/2', 'rediss://user:other@cache.example:7000/2?x=1'],
      ['redis://[::1]/3', 'redis://localhost/3'],
    ] as const)
      expect(redis(cache, jobs)).toEqual([
        `environment JOBS_REDIS_URL: jobs.url is the same database of the same server as cache.url: ${why}. Give it another one, such as 1`,
      ])
    expect(redis('redis://localhost/1')).toEqual([
      `environment REDIS_URL: cache.url is database 1 of its server, which the jobs take where jobs.url is unset: ${why}. Use database 0, or set jobs.url`,
    ])
    for (const [cache, jobs] of [
      ['redis://localhost/0', 'redis://localhost/1'],
      ['redis://localhost/1', 'redis://localhost/0'],
      ['redis://a.example/0', 'redis://b.example/0'],
      ['redis://a.example:1/0', 'redis://a.example:2/0'],
    ] as const)
      expect(load({ env: { REDIS_URL: cache, JOBS_REDIS_URL: jobs } }).config.jobs.url).toBe(jobs)
  })

  test('that just about stand together are taken', () => {
    const config = configWith({
      database: { lockTimeoutMs: 1999, deadlineMs: 2000 },
      limits: { turnBytesMax: 4096 },
      writes: { waitingBytesMax: 4096 },
    })
    expect(config.database.deadlineMs).toBe(2000)
  })
})

describe('a configuration', () => {
  test('cannot be changed', () => {
    const { config } = load({})
    expect(Object.isFrozen(config)).toBe(true)
    expect(Object.values(config).every((section) => Object.isFrozen(section))).toBe(true)
  })

  test('made by hand has the defaults beside what is given', () => {
    const config = configWith({ server: { port: 0 }, database: { url: undefined } })
    expect(config.server).toEqual({ ...configWith().server, port: 0 })
    expect(config).toEqual({ ...configWith(), server: config.server })
  })
})

describe('the line of a TOML key', () => {
  test('is found in tables, dotted keys, arrays, inline tables and after long strings', () => {
    const text = [
      'top.level = 1 # [not]', // 1
      "'quoted key'.\"b\\u0061r\" = '[' ", // 2
      'long = """', // 3
      '[server]', // 4
      'port = 1 \\""" # not over', // 5
      'server.port = 1', // 6
      '\\\\""" # over', // 7
      "raw = '''", // 8
      "it''s [x]\\'''", // 9
      'list = [ # one', // 10
      '  1, "]",', // 11
      '  ["a", "b"], { a = 1 },', // 12
      ']', // 13
      'empty = ""', // 14
      '[ server ] # after', // 15
      '\tport = 1', // 16
      'tls = { cert = "x", key = { file = 1 } }', // 17
      '', // 18
      '[a."b.c".d]', // 19
      'e = 1', // 20
      '[[many]]', // 21
      'x = 1', // 22
    ].join('\r\n')
    expect(Object.keys(parse(text))).toContain('many')
    const lines = tomlLines(text)
    const expected: [string[], number | undefined][] = [
      [['top', 'level'], 1],
      [['quoted key', 'bar'], 2],
      [['long'], 3],
      [['raw'], 8],
      [['list'], 10],
      [['empty'], 14],
      [['server'], 15],
      [['server', 'port'], 16],
      [['server', 'tls', 'key', 'file'], 17],
      [['a', 'b.c', 'd'], 19],
      [['a', 'b.c', 'd', 'e'], 20],
      [['many', 'x'], 22],
      [['missing'], undefined],
    ]
    expect(expected.map(([keys]) => [keys, lines(keys)])).toEqual(expected)
  })
})

describe('the table of settings', () => {
  test('has no name twice, and a default or an example that its own schema takes', () => {
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

  test('has a line of help for each', () => {
    for (const { help } of settingList) expect(help).toMatch(/^[A-Z].{5,99}\.$/)
  })
})

describe('the shipped examples', () => {
  const read = (name: string) => readFileSync(join(import.meta.dir, '..', name), 'utf8')
  /** A setting stands as `#name`, prose as `# text`, what editors read as `#:name`. */
  const uncommented = (text: string) => text.replace(/^#(?=[^\s:])/gm, '')
  const shown = settingList.map((setting) => [setting.path, setting.default ?? setting.example])

  test('change nothing as they are', () => {
    const files = { 'turnlog.toml': read('turnlog.toml'), '.env': read('.env.example') }
    const { config, sources } = load({ files })
    expect(config).toEqual(configWith())
    expect(new Set(sources.values())).toEqual(new Set(['default']))
  })

  test('show every setting in turnlog.toml, with its help and its default', () => {
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

  test('show every short name and every secret in .env.example', () => {
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

describe('turnlog config', () => {
  test('prints every setting with its value and source in columns', () => {
    const given = { env: { PORT: '8080' }, argv: ['--database.dataDirectory', 'my data'] }
    const lines = configCommand(load(given)).split('\n')
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

  test('shows of a secret no more than scheme, host and path', () => {
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
