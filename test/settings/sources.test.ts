/** The sources of settings, and their order. */
import { describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { configWith, loadConfig, readEnvironment } from '../../src/config.ts'
import { settingList } from '../../src/settings/setting-list.ts'
import { load, refusal } from '../support/loaded-config.ts'

describe('the sources', () => {
  test('every setting has its default if no source sets it', () => {
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
        embedded: true,
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

  test('the sources win in the order file, .env, environment, flags, and each is named', () => {
    const files = { 'turnlog.toml': '[server]\nport = 1001\n', '.env': '# ours\nPORT=1002\n' }
    const env = { PORT: '1003' }
    const found = [
      load({ files: { 'turnlog.toml': files['turnlog.toml'] } }),
      load({ files }),
      load({ files, env }),
      load({ files, env, argv: ['--server.port=1004'] }),
    ].map(({ config, sources }) => [config.server.port, sources.get('server.port')])
    expect(found).toEqual([
      [1001, 'turnlog.toml:2'],
      [1002, '.env:2 PORT'],
      [1003, 'environment PORT'],
      [1004, 'flag --server.port'],
    ])
  })

  test('a setting without a short name has the name that is made from its path', () => {
    const { config, sources } = load({ env: { TURNLOG_LIMITS_TURN_BYTES_MAX: '2048' } })
    expect(config.limits.turnBytesMax).toBe(2048)
    expect(sources.get('limits.turnBytesMax')).toBe('environment TURNLOG_LIMITS_TURN_BYTES_MAX')
  })

  test('an empty name in the environment counts as unset and does not hide a file', () => {
    const sourceTexts = {
      files: { '.env': 'PORT=4000\nHOST=\n' },
      env: { PORT: '', TURNLOG_NONE: '' },
    }
    const { config, sources } = load(sourceTexts)
    expect(config.server).toMatchObject({ host: '127.0.0.1', port: 4000 })
    expect(sources.get('server.host')).toBe('default')
  })

  test('texts from the environment are converted to numbers and switches', () => {
    const env = { TURNLOG_DATABASE_PREPARE: 'false', TURNLOG_WRITES_LANES: '4' }
    const { config } = load({ env })
    expect(config.database.prepare).toBe(false)
    expect(config.writes.lanes).toBe(4)
  })

  test('the line of a name in .env is found after quoted lines, comments and exports', () => {
    const text =
      '\uFEFFHOST=\'::1\' # ours\r\nPORT=1\r\n\r\n  export PORT = 4000\r\nNOTE="\r\nPORT=2"\r\n# PORT=3\r\nAUTH=none\r\n'
    const { config, sources } = load({ files: { '.env': text } })
    expect(config.server).toMatchObject({ host: '::1', port: 4000 })
    expect(sources.get('server.port')).toBe('.env:4 PORT')
    expect(sources.get('server.host')).toBe('.env:1 HOST')
    expect(sources.get('auth.mode')).toBe('.env:8 AUTH')
  })

  test('a .env file may hold the names of other tools', () => {
    expect(load({ files: { '.env': 'POTR=1\nAWS_REGION=x\n' } }).config).toEqual(configWith())
  })

  test('loadConfig reads the files of a directory, and readEnvironment the process', () => {
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
