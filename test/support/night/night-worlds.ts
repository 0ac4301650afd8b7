/** Services whose database a test can break and mend, on a server or embedded. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { openDatabase } from '../../../adapters/open.ts'
import { type TestApp, testApp } from '../servers/app.ts'
import { startPostgres, type TestPostgres } from '../servers/postgres.ts'
import { mountSmallDisk, type SmallDisk } from '../servers/small-disk.ts'

/** A service, and the means of an operator to break and mend its database. */
export type World = AsyncDisposable & {
  readonly app: TestApp
  /** Runs SQL in the service's database: on a server as a superuser, beside the service. */
  sql(text: string): Promise<readonly object[]>
  /** A small disk that the database's data is on. Undefined if this process may not mount one. */
  readonly disk: SmallDisk | undefined
}

export type ServerWorld = World & {
  readonly server: TestPostgres
  /** The database role of the service. */
  readonly role: string
  readonly database: string
  /** Begins a transaction with a statement; it stays open until it is committed. */
  begin(text: string): Promise<{ commit(): Promise<void> }>
}

export type WorldOptions = { readonly deadlineMs?: number }

/** Milliseconds between two probes: few, so that a row does not take a minute. */
const probes = { everyMs: 250 }

/** Makes the app log slow requests, which the app of a test does not do by default. */
const slowLines = { slowRequestMs: 1000 }

let worldsMade = 0

/** Opens the server that all rows share. Each row gets a database and a role of its own. */
export async function openServer(settings: Record<string, string> = {}) {
  await using opened = new AsyncDisposableStack()
  const server = opened.use(await startPostgres({ settings }))
  const disk = mountSmallDisk(48)
  if (disk !== undefined) opened.use(disk)
  const admin = postgres(server.url, { max: 2, onnotice: () => {}, backoff: () => 0.05 })
  opened.defer(() => admin.end({ timeout: 1 }))
  if (disk !== undefined) await admin.unsafe(`create tablespace small location '${disk.path}'`)
  const closing = opened.move()
  return {
    async world({ deadlineMs = 3000 }: WorldOptions = {}): Promise<ServerWorld> {
      worldsMade += 1
      const [role, database] = [`keeper_${worldsMade}`, `night_${worldsMade}`]
      await using parts = new AsyncDisposableStack()
      await admin.unsafe(`create role ${role} login`)
      await admin.unsafe(`create database ${database} owner ${role}`)
      const urlOf = (user: string) =>
        Object.assign(new URL(server.url), { username: user, pathname: `/${database}` }).href
      const operator = postgres(urlOf('postgres'), {
        max: 2,
        onnotice: () => {},
        backoff: () => 0.05,
      })
      parts.defer(() => operator.end({ timeout: 1 }))
      const app = parts.use(
        await testApp({
          probes,
          overrides: {
            server: slowLines,
            database: {
              url: urlOf(role),
              deadlineMs,
              lockTimeoutMs: 700,
              connectTimeoutMs: 1000,
              connectionsMax: 4,
            },
          },
        }),
      )
      const closeParts = parts.move()
      return {
        app,
        sql: (text) => operator.unsafe(text),
        async begin(text) {
          const begun = Promise.withResolvers<void>()
          const ended = Promise.withResolvers<void>()
          const transaction = operator.begin(async (inside) => {
            await inside.unsafe(text)
            begun.resolve()
            await ended.promise
          })
          await begun.promise
          return {
            async commit() {
              ended.resolve()
              await transaction
            },
          }
        },
        server,
        disk,
        role,
        database,
        [Symbol.asyncDispose]: () => closeParts.disposeAsync(),
      }
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

export type Server = Awaited<ReturnType<typeof openServer>>

/** Opens an embedded database. It has one session, so `sql` runs in the session of the service. */
export async function openEmbedded(): Promise<World> {
  await using parts = new AsyncDisposableStack()
  const disk = mountSmallDisk(80)
  if (disk !== undefined) parts.use(disk)
  const parent = disk?.path ?? mkdtempSync(join(tmpdir(), 'turnlog-night-'))
  if (disk === undefined) parts.defer(() => rmSync(parent, { recursive: true, force: true }))
  let log: string[] = []
  const database = parts.use(
    await openDatabase({
      directory: join(parent, 'data'),
      connectionsMax: 1,
      prepare: true,
      deadlineMs: 3000,
      connectTimeoutMs: 1000,
      startWaitSeconds: 30,
      allowUnsafe: false,
      onEvent: ({ type, message }) => log.push(JSON.stringify({ event: type, message })),
    }),
  )
  const app = parts.use(await testApp({ probes, database, overrides: { server: slowLines } }))
  log = app.log
  const closing = parts.move()
  return {
    app,
    sql: (text) => database.query({ text, params: [] }),
    disk,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}
