/** The registry of adapters: the scheme of a URL selects an adapter, which is loaded on demand. */
import { type Database, StartRefusal } from '../src/ports/database.ts'
import type { Kv } from '../src/ports/kv.ts'
import type { DirectoryState } from './database/directory-state.ts'
import type { SchemaReport } from './database/migrations.ts'
import type { OnDatabaseEvent, StartableDatabase } from './database/startable.ts'
import type { OnKvEvent, OpenedKv } from './kv/opened.ts'

export type { OpenedKv }

export type DatabaseOptions = {
  /** The URL of a Postgres server. @default Postgres runs inside this process, on `directory`. */
  readonly url?: string | undefined
  /** The URL for migrations. Set it if `url` leads to a pooler without sessions. @default url */
  readonly migrateUrl?: string | undefined
  /** The data directory of the Postgres inside this process. */
  readonly directory: string
  /** The most connections to a server. */
  readonly connectionsMax: number
  /** Whether statements are prepared on the server, once for each connection. */
  readonly prepare: boolean
  /** Milliseconds that a statement may take. */
  readonly deadlineMs: number
  /** Milliseconds that a connect may take. */
  readonly connectTimeoutMs: number
  /** Seconds that a start waits for the server, and for another node's migration. */
  readonly startWaitSeconds: number
  /** Whether a server may run without fsync or full_page_writes. */
  readonly allowUnsafe: boolean
  readonly migrationsFolder?: string
  readonly onEvent?: OnDatabaseEvent
}

/**
 * Opens the database, without checking its schema: call `migrate` or `verify` before the first
 * query.
 * @throws StartRefusal The URL has another scheme or cannot be read, or the directory cannot be
 *   used.
 */
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
  // The message names the scheme alone, because the rest may hold a password.
  const scheme = /^[a-z][a-z0-9+.-]*:/i.exec(url)?.[0] ?? 'no scheme'
  throw new StartRefusal(
    `The database URL has ${scheme}, and only postgres: and postgresql: can be opened: correct DATABASE_URL.`,
  )
}

/** Compares the database's schema with the one that this release's migrations make. */
export async function readSchema(database: Database): Promise<SchemaReport> {
  const { defaultMigrationsFolder, schemaReport } = await import('./database/migrations.ts')
  return await schemaReport(
    (text) => database.query<object>({ text, params: [] }),
    defaultMigrationsFolder,
  )
}

/** Reads the state of an embedded database's directory, without opening the database. */
export async function readDirectoryState(directory: string): Promise<DirectoryState> {
  const { directoryState } = await import('./database/directory-state.ts')
  return directoryState(directory)
}

export type KvOptions = {
  /** Whether a `redis:` URL names a server of a Redis Cluster. @default false */
  readonly cluster?: boolean
  /** Milliseconds that a call of Redis may take. @default 100 */
  readonly deadlineMs?: number
  /**
   * The beginning of all names of Redis keys and channels. Installations that share a Redis need
   * different ones. @default turnlog
   */
  readonly namespace?: string
  /** The most entries of a KV in memory. @default 500,000 */
  readonly entriesMax?: number
  /** The most bytes of a KV in memory. @default 64 MiB */
  readonly bytesMax?: number
  readonly onEvent?: OnKvEvent
}

/**
 * Opens a KV without waiting for a server.
 * @param url Its scheme selects the adapter: `redis`, `rediss`, `redis-cluster`, `rediss-cluster`,
 *   `memory`, `deno` (a path follows; under Deno only), or `module` (the path of your own adapter
 *   follows, see docs/kv-adapters.md). @default memory
 * @throws StartRefusal The URL has another scheme or cannot be read, or the module cannot be
 *   opened.
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
      // Without a path, Deno opens its default KV, which all instances on Deno Deploy share.
      return always('Deno KV', rest === '', await openDenoKv(rest === '' ? undefined : rest))
    }
    case 'module:':
      return await openModuleKv(rest)
    default:
      // The message names the scheme alone, because the rest may hold a password.
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
    // The errors of URL parsers may quote the URL with its password.
    const reason = /^A Redis Cluster /.test(thrown.message)
      ? thrown.message
      : thrown instanceof URIError
        ? 'it has a % that encodes nothing: write %25 for a % of its user or password'
        : 'it cannot be read'
    throw new StartRefusal(`The Redis URL is refused: ${reason}.`)
  }
}

/**
 * Opens the KV of a module. The file exports `openKv`, and `shared = true` if other processes see
 * the same entries.
 */
async function openModuleKv(path: string): Promise<OpenedKv> {
  const { resolve } = await import('node:path')
  const { pathToFileURL } = await import('node:url')
  try {
    const loaded: unknown = await import(pathToFileURL(resolve(path)).href)
    if (!isKvModule(loaded)) throw new StartRefusal('The KV module exports no openKv.')
    // The query of the URL may hold a secret, so the name leaves it out.
    const [name = ''] = path.split('?')
    return always(name, loaded.shared === true, await loaded.openKv())
  } catch (thrown) {
    if (thrown instanceof StartRefusal) throw thrown
    throw new StartRefusal(
      `The KV module that the module: URL names cannot be opened (${kindOf(thrown)}): run that file by itself to see why.`,
    )
  }
}

/** The code or the class of an error. Its message may repeat the URL with its secrets. */
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

/** A KV that is always ready and always receives changes. */
const always = (name: string, shared: boolean, kv: Kv): OpenedKv => ({
  kv,
  name,
  shared,
  ready: () => true,
  listening: () => true,
})
