/**
 * One connection to Postgres: a postgres.js client of its own, on a socket of ours.
 *
 * postgres.js pools, queues, pipelines and reconnects by itself, and then nobody can say whether a
 * statement was sent. Here a client connects once, runs one statement at a time and is thrown away
 * when it breaks; `postgres-pool.ts` does the rest. The socket is ours because postgres.js only
 * half-closes its own, which leaves it hanging for as long as a frozen server does.
 */
import net, { type Socket } from 'node:net'
import postgres from 'postgres'
import { deadline } from '../../src/mechanics/loop-delay.ts'
import { StartRefusal } from '../../src/ports/database.ts'
import { connectFailure } from './failure.ts'
import { valueParsers } from './values.ts'

export type ConnectionOptions = {
  readonly url: string
  /** Whether statements are prepared once per connection; off behind a PgBouncer without support. */
  readonly prepare: boolean
  /** Milliseconds until a connect is given up, from the first packet to the first answer. */
  readonly connectTimeoutMs: number
}

export type Connection = {
  /** `performance.now()` after which it is better replaced: load follows the servers there are. */
  readonly expiresAt: number
  /** `performance.now()` when the server first answered on this connection. */
  readonly openedAt: number
  /** Whether it took no writes when it was opened. */
  readonly isReadOnly: boolean
  readonly client: postgres.Sql
  /** False as soon as the socket is closed, by whomever. */
  alive(): boolean
  run(text: string, params: (string | null)[]): RunningStatement
  /** Closes the socket at once, whatever runs. */
  close(): void
}

export type RunningStatement = {
  readonly rows: Promise<object[]>
  /** Asks Postgres to cancel. Whether it did shows only in `rows`. */
  cancel(): void
}

const noop = () => {}

const firstQuestion = `select current_setting('transaction_read_only') = 'on' as "isReadOnly"`

/** Milliseconds, give or take a quarter, so that connections made together do not end together. */
const lifetimeMs = 40 * 60_000

/**
 * Connects and waits for a first answer; of several hosts in the URL, the first that takes writes, else
 * the first that answers: after a failover, the old primary may stand first in the list and be a standby.
 * Fails with a `DatabaseError`, always `not-sent`. `onClose` is told once, of an open connection.
 */
export async function openConnection(
  options: ConnectionOptions,
  onClose: (connection: Connection) => void = noop,
  signal?: AbortSignal,
): Promise<Connection> {
  const { serverName, urls } = readUrl(options.url)
  let failure: unknown
  let standby: Connection | undefined
  for (const url of urls) {
    try {
      const connection = await openOne({ ...options, url }, onClose, signal)
      if (!connection.isReadOnly || urls.length === 1) {
        standby?.close()
        return connection
      }
      if (standby === undefined) standby = connection
      else connection.close()
    } catch (thrown) {
      failure = thrown
    }
  }
  if (standby !== undefined) return standby
  throw connectFailure(failure, serverName)
}

async function openOne(
  options: ConnectionOptions,
  onClose: (connection: Connection) => void,
  signal: AbortSignal | undefined,
): Promise<Connection> {
  const sockets = new Set<Socket>()
  let state: 'connecting' | 'open' | 'cancelling' | 'closed' = 'connecting'

  const socket = (target: Target) => {
    // A second socket is for a cancel, or else postgres.js reconnecting, in a loop at worst.
    if (sockets.size > 0 && state !== 'cancelling') throw new Error('CONNECTION_CLOSED')
    const dialled = dial(literalTarget(options.url) ?? target)
    sockets.add(dialled.socket)
    return dialled.connected
  }
  const close = () => {
    const wasOpen = state === 'open' || state === 'cancelling'
    state = 'closed'
    for (const each of sockets) each.destroy()
    client.end({ timeout: 0 }).catch(noop)
    if (wasOpen) onClose(connection)
  }
  const settings = { ...clientOptions(options), socket, onclose: close }
  const client = postgres(options.url, settings)
  const connection = {
    openedAt: 0,
    isReadOnly: false,
    expiresAt: performance.now() + lifetimeMs * (0.75 + Math.random() / 2),
    client,
    alive: () => state === 'open',
    close,
    run(text: string, params: (string | null)[]) {
      // `simple: false`: without parameters postgres.js would take the protocol that never prepares.
      const extended = { prepare: options.prepare, simple: false }
      const query = client.unsafe(text, params, extended)
      return {
        rows: query.then((rows) => Array.from<object>(rows)),
        cancel() {
          if (state !== 'open') return
          state = 'cancelling'
          cancelStatement(query)
        },
      }
    },
  }

  const givenUp = Promise.withResolvers<never>()
  const onAbort = () => givenUp.reject(new Error('CONNECTION_ENDED'))
  const stop = deadline(options.connectTimeoutMs, () =>
    givenUp.reject(new Error('CONNECT_TIMEOUT')),
  )
  signal?.addEventListener('abort', onAbort)
  if (signal?.aborted) onAbort()
  try {
    // A statement, not only the handshake: behind PgBouncer that alone says nothing of the server.
    const [row] = await Promise.race([client.unsafe(firstQuestion), givenUp.promise])
    connection.isReadOnly = row?.['isReadOnly'] === true
    connection.openedAt = performance.now()
    state = 'open'
    return connection
  } catch (thrown) {
    close()
    throw thrown
  } finally {
    stop()
    signal?.removeEventListener('abort', onAbort)
  }
}

type Target = { host: string[]; port: number[]; path: string | undefined }

/** postgres.js takes an IPv6 address apart at its colons. */
function literalTarget(url: string): Target | undefined {
  const [, host, port = '5432'] = /^[^/]+\/\/(?:[^/?]*@)?\[([^\]]+)\](?::(\d+))?/.exec(url) ?? []
  return host === undefined ? undefined : { host: [host], port: [Number(port)], path: undefined }
}

function dial({ host: [host = 'localhost'], port: [port = 5432], path }: Target) {
  const socket = path ? net.connect({ path }) : net.connect({ host, port, noDelay: true })
  const { promise: connected, resolve, reject } = Promise.withResolvers<Socket>()
  socket.once('error', reject)
  socket.once('close', () => reject(new Error('CONNECTION_CLOSED')))
  // postgres.js reads the name that TLS has to verify from the socket.
  socket.once('connect', () => resolve(Object.assign(socket, { host })))
  return { socket, connected }
}

/** What of a database URL may be logged, and one URL for each of its hosts. */
export function readUrl(url: string): { serverName: string; urls: string[] } {
  const parts = /^(postgres(?:ql)?:\/\/(?:[^/?]*@)?)([^/?@]*)(\/[^?]*)?(\?.*)?$/.exec(url)
  if (parts === null) {
    throw new StartRefusal('The database URL is not of the form postgres://user@host:5432/name')
  }
  const [, start = '', hosts = '', path = '', query = ''] = parts
  const areHosts = hosts
    .split(',')
    .every((host) => /^(\[[\da-fA-F:.%]+\]|[^:]*)(:\d+)?$/.test(host))
  // A password that was not percent-encoded would be read as a host or a path, and be logged.
  if (!areHosts || path.includes('@') || query.includes('@')) {
    throw new StartRefusal(
      'The database URL cannot be told apart: percent-encode / ? # @ and : in its user and password.',
    )
  }
  if (/%(?![0-9a-f]{2})/i.test(start + hosts + path)) {
    throw new StartRefusal(
      'The database URL has a % that encodes nothing: write %25 for a % of its user, password or name.',
    )
  }
  // postgres.js hands parameters it does not know to the server, which refuses to talk then.
  const known = query.replace(
    /(?<=[?&])(channel_binding|gssencmode|pgbouncer|TimeZone|DateStyle)=[^&]*&?/gi,
    '',
  )
  return {
    serverName: `Postgres at ${hosts}${path}`,
    urls: hosts.split(',').map((host) => start + host + path + known),
  }
}

function clientOptions({ prepare }: ConnectionOptions) {
  return {
    max: 1,
    prepare,
    fetch_types: false,
    // Its own timer cannot tell a stall of this process from a silent server.
    connect_timeout: 0,
    idle_timeout: undefined,
    max_lifetime: null,
    backoff: () => 0,
    onnotice: noop,
    // PgBouncer keeps these per client, so they hold in its transaction mode, too. The style may be
    // another in the server's configuration, and it is how timestamps are written.
    connection: { application_name: 'turnlog', TimeZone: 'UTC', DateStyle: 'ISO' },
    // Statements come with text only; drizzle's migrator sends a number, too.
    types: Object.fromEntries(
      Object.entries(valueParsers).map(([oid, parse]) => [
        `type${oid}`,
        { to: Number(oid), from: [Number(oid)], serialize: String, parse },
      ]),
    ),
  }
}

/** The public `cancel()` drops its promise; failing, it would end the process as unhandled. */
function cancelStatement(query: object): void {
  if (!('canceller' in query) || typeof query.canceller !== 'function') return
  Promise.resolve(query.canceller(query)).catch(noop)
}
