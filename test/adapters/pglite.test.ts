/**
 * Tests of the embedded Postgres: the conformance suite, and its directory, which one process may
 * open.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { spawn } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DatabaseEvent } from '../../adapters/database/startable.ts'
import { type DatabaseOptions, openDatabase } from '../../adapters/open.ts'
import { DatabaseError } from '../../src/ports/database.ts'
import { databaseConformance, refusal } from '../conformance/database/database.ts'
import { defaults } from '../support/database-options.ts'
import { until } from '../support/servers/processes.ts'
import { mountSmallDisk } from '../support/servers/small-disk.ts'

const homes: string[] = []
let template: Promise<string> | undefined

/** Makes a new directory with the data of a finished first start. */
async function pgliteDirectory(): Promise<string> {
  template ??= (async () => {
    const directory = join(newHome(), 'data')
    await (await openDatabase({ ...defaults, directory }))[Symbol.asyncDispose]()
    return directory
  })()
  const directory = join(newHome(), 'data')
  cpSync(await template, directory, { recursive: true })
  return directory
}

function newHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'turnlog-pglite-'))
  homes.push(home)
  return home
}

databaseConformance('PGlite', {
  async create() {
    const directory = await pgliteDirectory()
    return {
      open: (options) => openDatabase({ ...defaults, directory, ...options }),
      async [Symbol.asyncDispose]() {},
    }
  },
  skip: [
    {
      reason: 'one process holds a directory',
      tests: [
        'several nodes migrate one database at the same time',
        'a migration that drizzle would skip because of its early time is refused',
      ],
    },
    {
      reason: 'a statement blocks the thread that would cancel it',
      tests: ['a statement past its deadline is cancelled without cancelling the next one'],
    },
  ],
})

describe('PGlite', () => {
  let directory: string
  const open = (options: Partial<DatabaseOptions> = {}) =>
    openDatabase({ ...defaults, directory, ...options })

  beforeAll(async () => {
    directory = await pgliteDirectory()
  }, 120_000)
  afterAll(() => {
    for (const home of homes) rmSync(home, { recursive: true, force: true })
  })

  test('a directory that is open in this process cannot be opened again', async () => {
    const first = await open()
    expect(await refusal(open())).toContain(
      `The data directory ${directory} is in use by process ${process.pid}: `,
    )
    expect(await first.query({ text: 'select 1 as one', params: [] })).toEqual([{ one: 1 }])
    await first[Symbol.asyncDispose]()
    await (await open())[Symbol.asyncDispose]()
  })

  test('a data directory belongs to one process until that process has ended, even while it is frozen', async () => {
    const script = `
      const { openDatabase } = await import(${JSON.stringify(join(import.meta.dir, '../../adapters/open.ts'))})
      const database = await openDatabase(${JSON.stringify({ ...defaults, directory })})
      await database.query({ text: 'create table held (a int)', params: [] })
      await database.query({ text: 'insert into held values (1)', params: [] })
      console.log('holding')
      setInterval(() => {}, 1000)`
    const holder = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    let written = ''
    holder.stdout.on('data', (chunk) => {
      written += chunk
    })
    try {
      await until('the holder holds', () => written.includes('holding'), 30_000)
      const inUse = `The data directory ${directory} is in use by process ${holder.pid}: `
      expect(await refusal(open())).toContain(inUse)
      holder.kill('SIGSTOP')
      expect(await refusal(open())).toContain(inUse)
    } finally {
      holder.kill('SIGKILL')
    }
    await until('the holder is dead', () => holder.signalCode !== null)
    await using database = await open()
    expect(await database.query({ text: 'select a from held', params: [] })).toEqual([{ a: 1 }])
  }, 60_000)

  test('only the owner can read the directory and the data', () => {
    expect(statSync(directory).mode & 0o777).toBe(0o700)
    expect(statSync(join(directory, 'pglite')).mode & 0o777).toBe(0o700)
  })

  test('if the first start was interrupted, the next start does the setup again', async () => {
    const interrupted = join(newHome(), 'data')
    mkdirSync(join(interrupted, 'pglite.new/base'), { recursive: true })
    await using database = await open({ directory: interrupted })
    await database.migrate()
    await database.verify()
  }, 30_000)

  const disk = mountSmallDisk(96)
  afterAll(() => disk?.[Symbol.asyncDispose]())
  test.skipIf(disk === undefined)(
    'an embedded database that a full disk ended reports why it cannot be opened again',
    async () => {
      if (disk === undefined) return
      const small = join(disk.path, 'data')
      cpSync(directory, small, { recursive: true })
      const events: DatabaseEvent[] = []
      const onEvent = (event: DatabaseEvent) => events.push(event)
      await using database = await open({ directory: small, onEvent })
      const refused = async (text: string) => {
        const thrown = await database.query({ text, params: [] }).catch((one: unknown) => one)
        if (!(thrown instanceof DatabaseError)) throw new Error('It answered, or failed otherwise.')
        const { reason, outcome, cause } = thrown
        return { reason, outcome, cause: String(cause) }
      }
      const isReported = (type: string) => events.some((event) => event.type === type)
      disk.fill()
      for (let n = 0; n < 40 && !isReported('ended'); n += 1)
        await refused(`select pg_logical_emit_message(true, 'x', repeat('x', 1000000))`).catch(
          String,
        )
      expect(await refused('select 1')).toMatchObject({ reason: 'full', outcome: 'not-sent' })
      expect(isReported('unopened')).toBe(false)

      renameSync(small, `${small}.away`)
      for (let n = 0; n < 3; n += 1) {
        const { cause, ...failure } = await refused('select 1')
        expect(failure).toEqual({ reason: 'unreachable', outcome: 'not-sent' })
        expect(cause).toContain('ENOENT')
      }
      expect(events.filter(({ type }) => type === 'unopened')).toEqual([
        { type: 'unopened', message: expect.stringContaining('ENOENT') },
      ])
      renameSync(`${small}.away`, small)

      disk.makeRoom()
      const control = join(small, 'pglite/global/pg_control')
      const whole = readFileSync(control)
      writeFileSync(control, '')
      let last = await refused('select 1')
      await until('an attempt has read the damaged data', async () => {
        last = await refused('select 1')
        return !last.cause.includes('ENOENT')
      })
      expect(last).toMatchObject({ reason: 'unreachable', outcome: 'not-sent' })
      const unopened = events.filter(({ type }) => type === 'unopened')
      expect(unopened).toHaveLength(2)
      expect(unopened[1]?.message).not.toContain('[object')
      writeFileSync(control, whole)
      await until('the database is open again', () =>
        database.query({ text: 'select 1', params: [] }).then(
          () => true,
          () => false,
        ),
      )
      expect(isReported('reopened')).toBe(true)
    },
    60_000,
  )

  test('the refusal of an unusable directory names the reason', async () => {
    expect(await refusal(open({ directory: '/dev/null/data' }))).toMatch(
      /^The data directory \/dev\/null\/data cannot be used: /,
    )
  })
})
