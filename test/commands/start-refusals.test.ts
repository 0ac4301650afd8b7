/** The refusals of a start, and their messages. */
import { afterAll, describe, expect, test } from 'bun:test'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import type { KvEvent } from '../../adapters/kv/opened.ts'
import { openDatabase, openKv } from '../../adapters/open.ts'
import { refusal } from '../conformance/database/database.ts'
import { defaults } from '../support/database-options.ts'
import { testApp } from '../support/servers/app.ts'
import { testDatabaseUrl } from '../support/servers/postgres.ts'
import { until } from '../support/servers/processes.ts'
import { redisMissing, startRedis } from '../support/servers/redis.ts'
import { directory, ran } from '../support/servers/serving.ts'
import { mountSmallDisk } from '../support/servers/small-disk.ts'
import { runTurnlog } from '../support/servers/turnlog.ts'
import { migrated } from '../support/started.ts'

const home = mkdtempSync(join(tmpdir(), 'turnlog-test-'))

// The servers of the tests may run as another user.
chmodSync(home, 0o755)

afterAll(() => rmSync(home, { recursive: true, force: true }))

describe('a % in a URL that encodes nothing', () => {
  test('a % that encodes nothing is refused with advice in every URL setting', async () => {
    const env = [
      ['--database.url', 'postgres://user:se%cret@localhost/name'],
      ['--database.migrateUrl', 'postgres://user:secre%t@localhost/name'],
      ['--cache.url', 'redis://:se%cret@localhost'],
      ['--cache.url', 'redis-cluster://:secret%@localhost:1,localhost:2'],
      ['--jobs.url', 'redis://u%ser:secret@localhost/1'],
    ] as const
    for (const [flag, url] of env) {
      const { code, err } = await runTurnlog(['serve', flag, url])
      expect([code, err]).toEqual([
        2,
        `The configuration has a problem:\n  flag ${flag}: ${flag.slice(2)} has a % that encodes nothing: write %25 for a % of a user, a password or a name\n`,
      ])
    }
  }, 60_000)

  test('a % that encodes nothing is refused by the adapters, too', async () => {
    for (const url of ['redis://:se%cret@localhost', 'redis-cluster://:se%cret@localhost:1'])
      expect(await refusal(openKv(url))).toBe(
        'The Redis URL is refused: it has a % that encodes nothing: write %25 for a % of its user or password.',
      )
    expect(await refusal(migrated('postgres://u:se%cret@localhost/x'))).toBe(
      'The database URL has a % that encodes nothing: write %25 for a % of its user, password or name.',
    )
  })

  test('turnlog doctor reports a % that encodes nothing, and accepts an encoded one', async () => {
    const { out } = await runTurnlog(['doctor', '--cache.url', 'redis://:se%cret@localhost:1'])
    expect(out).toContain('has a % that encodes nothing')
    expect(out).not.toContain('cret')
    const fine = await runTurnlog(['config', '--cache.url', 'redis://:se%25cret@localhost:1'])
    expect(fine.code).toBe(0)
  }, 60_000)
})

describe('a KV module', () => {
  const secret = 'top-secret-7'
  const moduleUrl = (name: string, code: string) => {
    const folder = join(home, secret)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, name), code)
    return `module:${join(folder, name)}`
  }

  test('a KV module that cannot be opened is refused without its path or the text of its error', async () => {
    const cases = [
      [`module:${join(home, secret, 'absent.ts')}?token=${secret}`, 'ERR_MODULE_NOT_FOUND'],
      [moduleUrl('throws.ts', `throw new TypeError(import.meta.url)`), 'TypeError'],
      [moduleUrl('odd.ts', 'export const openKv = ((('), ''],
      [
        moduleUrl('opens.ts', `export const openKv = () => { throw new RangeError('${secret}') }`),
        'RangeError',
      ],
    ] as const
    for (const [url, kind] of cases) {
      const message = await refusal(openKv(url))
      expect(message).toMatch(
        /^The KV module that the module: URL names cannot be opened \(\w+\): /,
      )
      expect(message).toContain(kind)
      expect(message).not.toContain(secret)
    }
    expect(await refusal(openKv(moduleUrl('empty.ts', 'export {}')))).toBe(
      'The KV module exports no openKv.',
    )
  })

  test('the log and /readyz name a KV module without its path', async () => {
    const memory = join(import.meta.dir, '../../adapters/kv/memory.ts')
    const url = moduleUrl(
      'fine.ts',
      `import { openMemory } from ${JSON.stringify(memory)}; export const openKv = () => openMemory({})`,
    )
    await using app = await testApp({ overrides: { cache: { url } } })
    const { text } = await app.ask('GET', '/readyz')
    expect([app.cacheName, JSON.parse(text).dependencies.cache.name]).toEqual([
      'KV module',
      'KV module',
    ])
    expect(`${text}${app.log.join()}`).not.toContain(secret)
    const absent = await runTurnlog([
      'serve',
      '--port',
      '0',
      '--cache.url',
      `${url}.not`,
      '--database.url',
      await testDatabaseUrl(),
    ])
    expect([absent.code, absent.out]).toEqual([1, ''])
    expect(absent.err).not.toContain(secret)
  }, 30_000)
})

test.skipIf(redisMissing() !== undefined)(
  'a redis-cluster: URL of a Redis that is not a Cluster is reported',
  async () => {
    await using redis = await startRedis()
    const events: KvEvent[] = []
    const url = redis.url.replace('redis:', 'redis-cluster:')
    const { kv } = await openKv(url, { onEvent: (event) => events.push(event) })
    await until('it is reported', () => events.length > 0)
    expect(events).toEqual([
      {
        type: 'mistaken',
        message: expect.stringMatching(
          /^Redis at 127\.0\.0\.1:\d+ does not say where the slots of its Cluster are: .*cluster support disabled/,
        ),
      },
    ])
    kv.close()
  },
  30_000,
)

describe('a data directory', () => {
  const start = (directory: string) => openDatabase({ ...defaults, directory })

  test('a data directory with other files is refused without naming them, and is not changed', async () => {
    const directory = join(home, 'papers')
    mkdirSync(directory)
    writeFileSync(join(directory, 'diary.txt'), 'secret')
    const message = await refusal(start(directory))
    expect(message).toBe(
      `The data directory ${directory} has other files in it, and no data of Turnlog's: name one that is empty or does not exist yet (database.dataDirectory, TURNLOG_DATA).`,
    )
    expect(readdirSync(directory)).toEqual(['diary.txt'])
    const { out, code } = await runTurnlog(['doctor', '--database.dataDirectory', directory])
    expect(code).toBe(1)
    expect(out).toContain(`${directory} has other files in it, and no data of Turnlog's`)
    expect(out).not.toContain('diary')
  }, 30_000)

  test('a data directory with other files in its pglite folder is refused', async () => {
    const directory = join(home, 'odd')
    mkdirSync(join(directory, 'pglite'), { recursive: true })
    writeFileSync(join(directory, 'pglite', 'notes.txt'), '')
    expect(await refusal(start(directory))).toContain('has other files in it')
  })

  test('a data directory with only lost+found in it is accepted', async () => {
    const directory = join(home, 'volume')
    mkdirSync(join(directory, 'lost+found'), { recursive: true })
    await (await start(directory))[Symbol.asyncDispose]()
    expect(existsSync(join(directory, 'pglite', 'PG_VERSION'))).toBe(true)
    // Other files do no harm next to existing data.
    writeFileSync(join(directory, 'README'), '')
    await (await start(directory))[Symbol.asyncDispose]()
  }, 60_000)
})

test('a user who may not create the schema gets the same message as from turnlog doctor', async () => {
  const url = await testDatabaseUrl()
  const name = new URL(url).pathname.slice(1)
  const user = `${name}_guest`
  const admin = postgres(url, { max: 1, onnotice: () => {} })
  const guest = Object.assign(new URL(url), { username: user, password: 'guest' }).href
  const refused = async (words: readonly string[]) => {
    const { code, err } = await runTurnlog([...words, '--database.url', guest])
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(
        /^The schema of Postgres at \S+ does not exist yet or .*, and this user may not create it: grant CREATE on the database and its schema, or set MIGRATE_DATABASE_URL to a user who may\.\n$/,
      ),
    ])
  }
  try {
    await admin.unsafe(`create role ${user} login password 'guest'`)
    await refused(['serve', '--port', '0'])
    const { out } = await runTurnlog(['doctor', '--database.url', guest])
    expect(out).toContain('does not exist yet, and this user may not create it')
    expect(out).toContain(
      'Grant CREATE on the database and its schema, or set MIGRATE_DATABASE_URL',
    )
    // A user who may create schemas, but no tables in the schema of the database.
    await admin.unsafe(`grant create on database ${name} to ${user}`)
    await refused(['migrate'])
    await admin.unsafe(`grant create on schema public to ${user}`)
    expect((await runTurnlog(['migrate', '--database.url', guest])).code).toBe(0)
  } finally {
    await admin.unsafe(`drop owned by ${user}; drop role ${user}`).catch(() => {})
    await admin.end()
  }
}, 60_000)

test('a start with a misspelt DATABASE_URL warns, and names the variable without its value', async () => {
  const env = { DATABSE_URL: 'postgres://u:secret@h/x' }
  const { code, err } = await ran(['serve', '--database.dataDirectory', '/dev/null/data'], env)
  expect(code).toBe(1)
  expect(JSON.parse(err.split('\n')[0] ?? '')).toMatchObject({
    level: 'warn',
    event: 'notice',
    message: expect.stringContaining('did you mean DATABASE_URL?'),
  })
  expect(err).not.toContain('secret')
  const report = await ran(['doctor', '--port', '0', '--cache.url', 'memory:'], env)
  expect(report.out).toMatch(/note +misspelt +environment DATABSE_URL is not a setting/)
}, 30_000)

test('a production start without a database URL or directory is refused, and writes no data', async () => {
  const { code, err } = await ran(['serve', '--port', '0'], { NODE_ENV: 'production' })
  expect([code, err]).toEqual([
    2,
    expect.stringContaining('NODE_ENV is production: set DATABASE_URL'),
  ])
  expect(existsSync(join(directory, '.turnlog'))).toBe(false)
}, 30_000)

describe('a full disk', () => {
  const disk = mountSmallDisk(24)
  afterAll(() => disk?.[Symbol.asyncDispose]())
  const start = () => runTurnlog(['serve', '--port', '0'], { cwd: disk?.path ?? home })

  test.skipIf(disk === undefined)(
    'a start on a disk that is too small for the data names the disk, not an object',
    async () => {
      const { code, err } = await start()
      expect([code, err]).toEqual([
        1,
        'The data in .turnlog cannot be opened: its disk is full: make room, or set another directory (TURNLOG_DATA)\n',
      ])
    },
    30_000,
  )

  test.skipIf(disk === undefined)(
    'a start on a disk without a free byte is refused in one line',
    async () => {
      disk?.fill()
      const { code, err } = await start()
      expect([code, err]).toEqual([
        1,
        expect.stringMatching(/^The data .*(disk is full|ENOSPC).*\n$/),
      ])
      expect(err).not.toContain('[object')
    },
    30_000,
  )
})

describe('file descriptors', () => {
  const limited = async (limit: number, words: readonly string[]) => {
    const command = [process.execPath, join(import.meta.dir, '../../src/main.ts'), ...words]
    const child = Bun.spawn(['sh', '-c', `ulimit -n ${limit}; exec "$@"`, 'sh', ...command], {
      cwd: home,
      env: { PATH: process.env['PATH'] ?? '' },
      stdout: 'ignore',
      stderr: 'pipe',
    })
    const err = await new Response(child.stderr).text()
    return { code: await child.exited, err }
  }

  test.skipIf(!existsSync('/proc/self/limits'))(
    'a limit of file descriptors below the need of the settings refuses the start',
    async () => {
      const words = ['serve', '--database.url', 'postgres://127.0.0.1:1/x']
      expect(await limited(150, [...words, '--database.connectionsMax', '100'])).toEqual({
        code: 1,
        err: 'This process may open 150 files and connections, but needs 164 (database.connectionsMax is 100): raise the limit, for example with ulimit -n 4096.\n',
      })
      const few = await limited(164, [
        ...words,
        '--database.connectionsMax',
        '100',
        '--database.startWaitSeconds',
        '0',
      ])
      expect(few.err).toContain('ECONNREFUSED')
    },
    30_000,
  )

  test('a warning is logged when file descriptors are nearly used up, because the runtime reports nothing', async () => {
    const script = `
      const { openSync } = await import('node:fs')
      const { watchDescriptors } = await import(${JSON.stringify(join(import.meta.dir, '../../src/commands/file-descriptors.ts'))})
      const openFiles = Array.from({ length: 128 }, () => openSync('/dev/null', 'r'))
      watchDescriptors({
        descriptorsLow(used, limit) {
          process.stderr.write([used > 126, limit, openFiles.length].join(' '))
          process.exit()
        },
      }, 10)
      setInterval(() => {}, 1000)`
    const file = join(home, 'nearly.ts')
    writeFileSync(file, script)
    const child = Bun.spawn(
      ['sh', '-c', 'ulimit -n 140; exec "$@"', 'sh', process.execPath, file],
      {
        stdout: 'ignore',
        stderr: 'pipe',
      },
    )
    const message = await new Response(child.stderr).text()
    expect(message).toBe(existsSync('/proc/self/limits') ? 'true 140 128' : '')
  }, 30_000)

  test('a refused connection names used-up file descriptors as its cause', async () => {
    const script = `
      const { openSync } = await import('node:fs')
      const { openDatabase, openKv } = await import(${JSON.stringify(join(import.meta.dir, '../../adapters/open.ts'))})
      const options = ${JSON.stringify(defaults)}
      const database = await openDatabase({ ...options, url: 'postgres://127.0.0.1:1/x' })
      const ask = () => database.query({ text: 'select 1', params: [] }).catch((error) => error.message)
      process.stderr.write(await ask() + '\\n')
      const openFiles = []
      try { for (;;) openFiles.push(openSync('/dev/null', 'r')) } catch {}
      // For a moment the pool answers with the failure that it has just seen.
      let message = await ask()
      while (message.includes('ECONNREFUSED')) message = await ask()
      process.stderr.write(message + '\\n')
      process.exit()`
    const file = join(home, 'exhausted.ts')
    writeFileSync(file, script)
    const child = Bun.spawn(
      ['sh', '-c', 'ulimit -n 256; exec "$@"', 'sh', process.execPath, file],
      {
        stdout: 'ignore',
        stderr: 'pipe',
      },
    )
    expect((await new Response(child.stderr).text()).trim().split('\n')).toEqual([
      'No connection to Postgres at 127.0.0.1:1/x: ECONNREFUSED',
      'No connection to Postgres at 127.0.0.1:1/x: this process has no file descriptor left (EMFILE): raise its limit (ulimit -n)',
    ])
  }, 30_000)
})
