/** The one registry of what the service is put on: a URL's scheme -> an adapter, loaded on demand. */
import { type Database, StartRefusal } from '../src/ports/database.ts'
import type { Kv } from '../src/ports/kv.ts'
import type { DirectoryState } from './database/directory-state.ts'
import type { SchemaReport } from './database/migrations.ts'
import type { OnDatabaseEvent, StartableDatabase } from './database/startable.ts'
import type { OnKvEvent, OpenedKv } from './kv/opened.ts'

export type { OpenedKv }

export type DatabaseOptions = {
  /** A Postgres server; without it, Postgres inside this process on `directory`. */
  readonly url?: string | undefined
  /** For migrations, where `url` goes through a pooler without sessions. */
  readonly migrateUrl?: string | undefined
  readonly directory: string
  readonly connectionsMax: number
  readonly prepare: boolean
  readonly deadlineMs: number
  readonly connectTimeoutMs: number
  readonly startWaitSeconds: number
  readonly allowUnsafe: boolean
  readonly migrationsFolder?: string
  readonly onEvent?: OnDatabaseEvent
}

/** Opens, without looking at what is there: call `migrate` or `verify` before using it. */
export async function openDatabase(options: DatabaseOptions): Promise<StartableDatabase> {
  const { url, migrateUrl, directory, ...rest } = options
  if (url === undefined) {
    const { openPglite } = await import('./database/pglite.ts')
    return await openPglite({ directory, ...rest })
  }
  if (/^postgres(ql)?:/.test(url)) {
    const { openPostgres } = await import('./database/postgres.ts')
    return openPostgres({ url, ...(migrateUrl === undefined ? {} : { migrateUrl }), ...rest })
  }
  // The scheme alone: the rest may hold a password.
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(url)?.[0] ?? 'no scheme'
  throw new StartRefusal(
    `The database URL has ${scheme}, and only postgres: and postgresql: can be opened: correct DATABASE_URL.`,
  )
}

/** How the tables stand beside those this release brings, and what was changed of them. */
export async function readSchema(database: Database): Promise<SchemaReport> {
  const { defaultMigrationsFolder, schemaReport } = await import('./database/migrations.ts')
  return await schemaReport(
    (text) => database.query<object>({ text, params: [] }),
    defaultMigrationsFolder,
  )
}

/** What is in the directory of an embedded database, which stays closed. */
export async function readDirectoryState(directory: string): Promise<DirectoryState> {
  const { directoryState } = await import('./database/directory-state.ts')
  return directoryState(directory)
}

export type KvOptions = {
  /** A `redis:` URL names a server of a Cluster. */
  readonly cluster?: boolean
  /** Milliseconds a call of a store elsewhere may take. */
  readonly deadlineMs?: number
  /** What the names of keys and channels begin with, where several installations share a store. */
  readonly namespace?: string
  /** Bounds of a store in memory. */
  readonly entriesMax?: number
  readonly bytesMax?: number
  readonly onEvent?: OnKvEvent
}

/**
 * Opens without waiting for a server: by scheme `redis`, `rediss`, `redis-cluster`, `rediss-cluster`,
 * `memory`, `deno` (a path follows; under Deno), or `module` (a file of one's own, see
 * docs/kv-adapters.md). Without a URL: in memory.
 */
export async function openKv(url: string | undefined, options: KvOptions = {}): Promise<OpenedKv> {
  const scheme = url === undefined ? 'memory:' : (/^[a-z][a-z0-9+.-]*:/i.exec(url)?.[0] ?? '')
  const rest = (url ?? '').slice(scheme.length)
  switch (scheme) {
    case 'memory:': {
      const { openMemory } = await import('./kv/memory.ts')
      return always('memory', false, openMemory(options))
    }
    case 'redis:':
    case 'rediss:':
    case 'redis-cluster:':
    case 'rediss-cluster:':
      return await openRedisKv(scheme + rest, options)
    case 'deno:': {
      const { openDenoKv } = await import('./kv/deno.ts')
      // Without a path it is the runtime's own, which on Deploy all instances share.
      return always('Deno KV', rest === '', await openDenoKv(rest === '' ? undefined : rest))
    }
    case 'module:':
      return await openModuleKv(rest)
    default:
      // The scheme alone: the rest may hold a password.
      throw new StartRefusal(
        `The KV URL has ${scheme || 'no scheme'}, and redis:, rediss:, redis-cluster:, rediss-cluster:, memory:, deno: and module: can be opened: correct it.`,
      )
  }
}

async function openRedisKv(url: string, { cluster = false, ...options }: KvOptions) {
  try {
    if (cluster || /^rediss?-cluster:/.test(url)) {
      const { openRedisCluster } = await import('./kv/redis/redis-cluster.ts')
      return openRedisCluster({ url, ...options })
    }
    const { openRedis } = await import('./kv/redis/redis.ts')
    return openRedis({ url, ...options })
  } catch (thrown) {
    if (!(thrown instanceof TypeError || thrown instanceof URIError)) throw thrown
    // Errors of URL parsers may quote it, password and all.
    const reason = /^A Redis Cluster /.test(thrown.message)
      ? thrown.message
      : thrown instanceof URIError
        ? 'it has a % that encodes nothing: write %25 for a % of its user or password'
        : 'it cannot be read'
    throw new StartRefusal(`The Redis URL is refused: ${reason}.`)
  }
}

/** The file exports `openKv`, and `shared` where other processes see the same entries. */
async function openModuleKv(path: string): Promise<OpenedKv> {
  const { resolve } = await import('node:path')
  const { pathToFileURL } = await import('node:url')
  try {
    const loaded: unknown = await import(pathToFileURL(resolve(path)).href)
    if (!isKvModule(loaded)) throw new StartRefusal('The KV module exports no openKv.')
    // The query of a URL may hold a secret.
    const [name = ''] = path.split('?')
    return always(name, loaded.shared === true, await loaded.openKv())
  } catch (thrown) {
    if (thrown instanceof StartRefusal) throw thrown
    throw new StartRefusal(
      `The KV module that the module: URL names cannot be opened (${kindOf(thrown)}): run that file by itself to see why.`,
    )
  }
}

/** The code or the class alone: the text may repeat the URL, and what it holds. */
const kindOf = (thrown: unknown): string => {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined
  if (typeof code === 'string' && /^[A-Z_]{3,40}$/.test(code)) return code
  return thrown instanceof Error ? thrown.name : typeof thrown
}

const isKvModule = (loaded: unknown): loaded is { openKv(): Kv | Promise<Kv>; shared?: unknown } =>
  typeof loaded === 'object' &&
  loaded !== null &&
  'openKv' in loaded &&
  typeof loaded.openKv === 'function'

/** A store that does not come and go. */
const always = (name: string, shared: boolean, kv: Kv): OpenedKv => ({
  kv,
  name,
  shared,
  ready: () => true,
  listening: () => true,
})
