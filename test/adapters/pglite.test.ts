/** The embedded Postgres, held to the port of a database; and what only it promises: its directory, and who may open it. */
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

/** A new directory below a new one, with data of a finished first start in it. */
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
      reason: 'a directory has one holder',
      tests: [
        'several nodes migrate one database at the same time',
        'a migration that would be skipped for its early time is refused',
      ],
    },
    {
      reason: 'a statement runs on the thread that would cancel it',
      tests: ['a statement past its deadline is cancelled, and the next one is not'],
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

  test('gives a directory to one opener in a process', async () => {
    const first = await open()
    expect(await refusal(open())).toContain(
      `The data directory ${directory} is in use by process ${process.pid}: `,
    )
    expect(await first.query({ text: 'select 1 as one', params: [] })).toEqual([{ one: 1 }])
    await first[Symbol.asyncDispose]()
    await (await open())[Symbol.asyncDispose]()
  })

  test('gives a directory to one process, frozen or not, until that is dead', async () => {
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

  test('keeps its directory to its owner', () => {
    expect(statSync(directory).mode & 0o777).toBe(0o700)
    expect(statSync(join(directory, 'pglite')).mode & 0o777).toBe(0o700)
  })

  test('makes the data anew where a first start was interrupted', async () => {
    const interrupted = join(newHome(), 'data')
    mkdirSync(join(interrupted, 'pglite.new/base'), { recursive: true })
    await using database = await open({ directory: interrupted })
    await database.migrate()
    await database.verify()
  }, 30_000)

  const disk = mountSmallDisk(96)
  afterAll(() => disk?.[Symbol.asyncDispose]())
  test.skipIf(disk === undefined)(
    'says why it cannot be opened anew after a full disk ended it',
    async () => {
      if (disk === undefined) return
      const small = join(disk.path, 'data')
      cpSync(directory, small, { recursive: true })
      const told: DatabaseEvent[] = []
      const onEvent = (event: DatabaseEvent) => told.push(event)
      await using database = await open({ directory: small, onEvent })
      const refused = async (text: string) => {
        const thrown = await database.query({ text, params: [] }).catch((one: unknown) => one)
        if (!(thrown instanceof DatabaseError)) throw new Error('It answered, or failed otherwise.')
        const { reason, outcome, cause } = thrown
        return { reason, outcome, cause: String(cause) }
      }
      const isTold = (type: string) => told.some((event) => event.type === type)
      disk.fill()
      for (let n = 0; n < 40 && !isTold('ended'); n += 1)
        await refused(`select pg_logical_emit_message(true, 'x', repeat('x', 1000000))`).catch(
          String,
        )
      expect(await refused('select 1')).toMatchObject({ reason: 'full', outcome: 'not-sent' })
      expect(isTold('unopened')).toBe(false)

      renameSync(small, `${small}.away`)
      for (let n = 0; n < 3; n += 1) {
        const { cause, ...known } = await refused('select 1')
        expect(known).toEqual({ reason: 'unreachable', outcome: 'not-sent' })
        expect(cause).toContain('ENOENT')
      }
      expect(told.filter(({ type }) => type === 'unopened')).toEqual([
        { type: 'unopened', message: expect.stringContaining('ENOENT') },
      ])
      renameSync(`${small}.away`, small)

      disk.makeRoom()
      const control = join(small, 'pglite/global/pg_control')
      const whole = readFileSync(control)
      writeFileSync(control, '')
      let last = await refused('select 1')
      await until('the damaged data is tried', async () => {
        last = await refused('select 1')
        return !last.cause.includes('ENOENT')
      })
      expect(last).toMatchObject({ reason: 'unreachable', outcome: 'not-sent' })
      const unopened = told.filter(({ type }) => type === 'unopened')
      expect(unopened).toHaveLength(2)
      expect(unopened[1]?.message).not.toContain('[object')
      writeFileSync(control, whole)
      await until('it is open again', () =>
        database.query({ text: 'select 1', params: [] }).then(
          () => true,
          () => false,
        ),
      )
      expect(isTold('reopened')).toBe(true)
    },
    60_000,
  )

  test('says why a directory cannot be used', async () => {
    expect(await refusal(open({ directory: '/dev/null/data' }))).toMatch(
      /^The data directory \/dev\/null\/data cannot be used: /,
    )
  })
})
