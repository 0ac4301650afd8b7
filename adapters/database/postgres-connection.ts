/**
 * One connection to Postgres: a postgres.js client for itself, on a socket that this file opens.
 *
 * postgres.js pools, queues, pipelines and reconnects by itself, which leaves unknown whether a
 * statement was sent. Here a client connects once, runs one statement at a time and is thrown away
 * when it breaks; `postgres-pool.ts` manages the connections. postgres.js only half-closes its own
 * sockets, and such a socket stays open as long as a frozen server does. So this file opens and
 * destroys the sockets.
 */
import net, { type Socket } from 'node:net'
import postgres from 'postgres'
import { deadline } from '../../src/mechanics/loop-delay.ts'
import { StartRefusal } from '../../src/ports/database.ts'
import { connectFailure } from './failure.ts'
import { valueParsers } from './values.ts'

export type ConnectionOptions = {
  readonly url: string
  /**
   * Whether statements are prepared once for each connection. Some PgBouncers do not support it.
   */
  readonly prepare: boolean
  /** Milliseconds that a connect may take, from the first packet to the first answer. */
  readonly connectTimeoutMs: number
}

export type Connection = {
  /**
   * `performance.now()` after which it is replaced, so that the load reaches servers that were
   * added.
   */
  readonly expiresAt: number
  /** `performance.now()` when the server first answered on this connection. */
  readonly openedAt: number
  /** Whether the server refused writes when the connection was opened. */
  readonly isReadOnly: boolean
  readonly client: postgres.Sql
  /** False as soon as either side has closed the socket, and once a cancel was asked for. */
  alive(): boolean
  run(text: string, params: (string | null)[]): RunningStatement
  /** Closes the socket at once, even if a statement runs. */
  close(): void
}

export type RunningStatement = {
  readonly rows: Promise<object[]>
  /** Asks Postgres to cancel the statement. Only `rows` shows whether it did. */
  cancel(): void
}

const noop = () => {}

const firstQuestion = `select current_setting('transaction_read_only') = 'on' as "isReadOnly"`

/**
 * Milliseconds. Each lifetime varies by up to a quarter, so that connections do not end together.
 */
const lifetimeMs = 40 * 60_000

/**
 * Connects and waits for a first answer. If the URL has several hosts, the first one that accepts
 * writes is used, or, if none does, the first one that answers: after a failover, the old primary
 * may be first in the list and be a standby.
 * @param onClose Called once, when an open connection closes.
 * @param signal Gives the attempt up.
 * @throws DatabaseError The outcome is always `not-sent`.
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
    // A second socket is for a cancel. Otherwise postgres.js wants to reconnect, at worst in a
    // loop.
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
      // For a statement without parameters, postgres.js would choose the protocol that never
      // prepares.
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
    // A handshake alone does not suffice: PgBouncer answers it without asking the server.
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

/** The target of a URL with an IPv6 address, which postgres.js would split at its colons. */
function literalTarget(url: string): Target | undefined {
  const [, host, port = '5432'] = /^[^/]+\/\/(?:[^/?]*@)?\[([^\]]+)\](?::(\d+))?/.exec(url) ?? []
  return host === undefined ? undefined : { host: [host], port: [Number(port)], path: undefined }
}

function dial({ host: [host = 'localhost'], port: [port = 5432], path }: Target) {
  const socket = path ? net.connect({ path }) : net.connect({ host, port, noDelay: true })
  const { promise: connected, resolve, reject } = Promise.withResolvers<Socket>()
  socket.once('error', reject)
  socket.once('close', () => reject(new Error('CONNECTION_CLOSED')))
  // postgres.js reads the host name that TLS verifies from the socket.
  socket.once('connect', () => resolve(Object.assign(socket, { host })))
  return { socket, connected }
}

/**
 * Reads a database URL.
 * @returns A name for messages, without secrets, and one URL for each host.
 * @throws StartRefusal The URL cannot be read.
 */
export function readUrl(url: string): { serverName: string; urls: string[] } {
  const parts = /^(postgres(?:ql)?:\/\/(?:[^/?]*@)?)([^/?@]*)(\/[^?]*)?(\?.*)?$/.exec(url)
  if (parts === null) {
    throw new StartRefusal(
      'The database URL cannot be read: write it in the form postgres://user@host:5432/name.',
    )
  }
  const [, start = '', hosts = '', path = '', query = ''] = parts
  const areHosts = hosts
    .split(',')
    .every((host) => /^(\[[\da-fA-F:.%]+\]|[^:]*)(:\d+)?$/.test(host))
  // A password without percent-encoding would be read as a part of the host or the path, and be
  // logged.
  if (!areHosts || path.includes('@') || query.includes('@')) {
    throw new StartRefusal(
      'The database URL is ambiguous: percent-encode / ? # @ and : in its user and password.',
    )
  }
  if (/%(?![0-9a-f]{2})/i.test(start + hosts + path)) {
    throw new StartRefusal(
      'The database URL has a % that encodes nothing: write %25 for a % of its user, password or name.',
    )
  }
  // postgres.js sends parameters that it does not know to the server, which then refuses to
  // connect.
  const knownQuery = query.replace(
    /(?<=[?&])(channel_binding|gssencmode|pgbouncer|TimeZone|DateStyle)=[^&]*&?/gi,
    '',
  )
  return {
    serverName: `Postgres at ${hosts}${path}`,
    urls: hosts.split(',').map((host) => start + host + path + knownQuery),
  }
}

function clientOptions({ prepare }: ConnectionOptions) {
  return {
    max: 1,
    prepare,
    fetch_types: false,
    // The timer of postgres.js cannot tell a stall of this process from a silent server.
    connect_timeout: 0,
    idle_timeout: undefined,
    max_lifetime: null,
    backoff: () => 0,
    onnotice: noop,
    // PgBouncer keeps these settings for each client, so they apply in its transaction mode, too.
    // The date style decides how timestamps are written; the server's configuration may have
    // another one.
    connection: { application_name: 'turnlog', TimeZone: 'UTC', DateStyle: 'ISO' },
    // All parameters are text, except for a number that drizzle's migrator sends.
    types: Object.fromEntries(
      Object.entries(valueParsers).map(([oid, parse]) => [
        `type${oid}`,
        { to: Number(oid), from: [Number(oid)], serialize: String, parse },
      ]),
    ),
  }
}

/**
 * Cancels a query. The public `cancel()` of postgres.js drops its promise, and a rejection of it
 * would end the process.
 */
function cancelStatement(query: object): void {
  if (!('canceller' in query) || typeof query.canceller !== 'function') return
  Promise.resolve(query.canceller(query)).catch(noop)
}
