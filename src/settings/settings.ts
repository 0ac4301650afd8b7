/**
 * The one table of settings. The paths in `turnlog.toml`, the names in the environment, the flags,
 * the type `Config`, the messages about wrong values and the output of `turnlog config` come from
 * it.
 */

import Type from 'typebox'
import { list, oneOf, onOff, type Setting, secretUrl, text, whole } from './setting-forms.ts'

// An origin has no path and no wildcard: a browser sends neither, so such a value never matches.
const origin = '[A-Za-z][A-Za-z0-9+.-]*://[^\\s,/?#@*]+'
// An IPv6 address has at least two colons. A name with one colon would have a port.
const hostName = '([A-Za-z0-9._-]+|\\[?[0-9A-Fa-f]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\\]?)'

const postgres = ['postgres://', 'postgresql://']
const redis = ['redis://', 'rediss://']
const keyValue = [...redis, 'redis-cluster://', 'rediss-cluster://', 'module:', 'deno:']
const mebibytes = 1_048_576

export const settings = {
  server: {
    host: {
      ...text('^[A-Za-z0-9._:%-]+$', 'a host name or an IP address'),
      default: '127.0.0.1',
      help: 'Address to listen on. An address that other machines can reach needs AUTH=none.',
      env: 'HOST',
      flag: 'host',
    },
    port: {
      ...whole('', [0, 65_535], 3000, 'Port to listen on. 0 means any free port.'),
      env: 'PORT',
      flag: 'port',
    },
    shutdownGraceSeconds: whole(
      'seconds',
      [0, 3600],
      30,
      'How long a shutdown waits for requests in flight.',
    ),
    allowedOrigins: {
      ...list(origin, 'origins such as https://app.example'),
      default: '',
      help: 'CORS: web origins that may call the service, besides its own and, on loopback, localhost.',
    },
    allowedHosts: {
      ...list(hostName, 'host names or addresses without ports'),
      default: '',
      help: 'Accepted Host names, besides loopback names on loopback. Empty elsewhere: every name.',
    },
    slowRequestMs: whole(
      'milliseconds',
      [0, 600_000],
      1000,
      'Requests and frames that take longer are logged. The value 0 disables this.',
    ),
  },
  log: {
    level: oneOf(
      ['error', 'warn', 'info', 'debug'],
      'info',
      'Least severe level that is logged. At debug, every refused request is logged, too.',
    ),
    format: oneOf(
      ['auto', 'text', 'json'],
      'auto',
      'Format of log lines. auto writes text to a terminal and JSON elsewhere.',
    ),
    requests: onOff(false, 'Log every request, at level info.'),
  },
  auth: {
    mode: {
      schema: Type.Literal('none'),
      expected: '"none", or left unset',
      default: undefined,
      help: 'Unset: only this machine can connect. none: other machines can, too, without authentication.',
      env: 'AUTH',
      example: 'none',
    },
  },
  database: {
    url: secretUrl(
      postgres,
      { env: 'DATABASE_URL', example: 'postgres://turnlog:password@localhost:5432/turnlog' },
      'URL of the Postgres server. Unset: an embedded Postgres in database.dataDirectory.',
    ),
    migrateUrl: secretUrl(
      postgres,
      { env: 'MIGRATE_DATABASE_URL', example: 'postgres://owner:password@localhost:5432/turnlog' },
      'URL of the same database for migrations, past PgBouncer. Unset: database.url is used.',
    ),
    dataDirectory: {
      ...text('^[^\\0]+$', 'the path of a directory'),
      default: '.turnlog',
      help: 'Directory in which the embedded Postgres stores its files.',
      env: 'TURNLOG_DATA',
    },
    embedded: onOff(true, 'Allow the embedded Postgres. false: a start needs database.url.'),
    connectionsMax: whole('connections', [1, 1000], 10, 'Maximum size of the connection pool.'),
    prepare: onOff(true, 'Use prepared statements. Use false with a PgBouncer before 1.21.'),
    deadlineMs: whole('milliseconds', [1, 600_000], 5000, 'Timeout of one statement.'),
    lockTimeoutMs: whole(
      'milliseconds',
      // The minimum is 1, because Postgres reads 0 as "wait for ever".
      [1, 600_000],
      2000,
      'How long a write waits for a locked conversation. Must be below database.deadlineMs.',
    ),
    connectTimeoutMs: whole('milliseconds', [1, 600_000], 2000, 'Timeout of a connection attempt.'),
    startWaitSeconds: whole('seconds', [0, 3600], 30, 'How long a start waits for Postgres.'),
    migrateAtStart: onOff(true, 'Bring the database schema up to date when the service starts.'),
    allowUnsafe: onOff(false, 'Start although Postgres runs without fsync or full_page_writes.'),
  },
  cache: {
    url: secretUrl(
      keyValue,
      { env: 'REDIS_URL', example: 'redis://localhost:6379/0' },
      'URL of the cache: Redis or another key-value store. Unset: the process uses its memory.',
    ),
    ttlSeconds: whole(
      'seconds',
      [1, 86_400],
      600,
      'How long a cached history is kept after it was last written or filled.',
    ),
    deadlineMs: whole(
      'milliseconds',
      [1, 10_000],
      15,
      'Time after which a read stops waiting for a remote cache and asks the database.',
    ),
    memoryBytesMax: whole(
      'bytes',
      [mebibytes, 65_536 * mebibytes],
      64 * mebibytes,
      'Maximum size of the cache in memory, which is used if cache.url is unset.',
    ),
    readyBytesMax: whole(
      'bytes',
      [0, 65_536 * mebibytes],
      64 * mebibytes,
      'Maximum size of the histories that this process keeps ready to send.',
    ),
  },
  jobs: {
    url: secretUrl(
      redis,
      { env: 'JOBS_REDIS_URL', example: 'redis://localhost:6379/1' },
      'Redis of the job queue, not used yet. Unset: database 1 of cache.url, or this process.',
    ),
  },
  writes: {
    lanes: whole('lanes', [1, 4], 2, 'Maximum number of batches of turns in flight at once.'),
    batchTurnsMax: whole('turns', [1, 4096], 128, 'Maximum number of turns in one batch.'),
    batchBytesMax: whole('bytes', [1024, 2 * mebibytes], mebibytes, 'Maximum size of one batch.'),
    waitingTurnsMax: whole('turns', [1, 1_000_000], 4096, 'More queued turns are refused (503).'),
    waitingBytesMax: whole(
      'bytes',
      [1024, 4096 * mebibytes],
      64 * mebibytes,
      'Maximum size of all queued turns; more get 503. Must be at least limits.turnBytesMax.',
    ),
  },
  live: {
    pingSeconds: whole('seconds', [1, 300], 20, 'Interval between two pings of a socket.'),
    pollMs: whole(
      'milliseconds',
      [100, 600_000],
      5000,
      'Interval at which the database is polled for changes of followed conversations.',
    ),
    silentPollMs: whole(
      'milliseconds',
      [50, 60_000],
      500,
      'Poll interval in place of live.pollMs while the cache carries no hints between nodes.',
    ),
    subscriptionsMax: whole(
      'conversations',
      [1, 100_000],
      128,
      'Maximum number of conversations that one socket can follow.',
    ),
    framesPerSecond: whole(
      'frames',
      [100, 1_000_000],
      5000,
      'Maximum rate of frames from one socket. Pings count; each KiB of a frame counts one more.',
    ),
    bufferSoftBytes: whole(
      'bytes',
      [1024, 64 * mebibytes],
      262_144,
      'A client with more unread bytes gets no further frames until it has caught up.',
    ),
    bufferHardBytes: whole(
      'bytes',
      [1024, 256 * mebibytes],
      4 * mebibytes,
      'A client with more unread bytes is disconnected. Must be above live.bufferSoftBytes.',
    ),
    pageBytesMax: whole(
      'bytes',
      [1024, 4 * mebibytes],
      131_072,
      'Size after which a change frame ends while a client catches up on missed changes.',
    ),
  },
  voice: {
    seatSeconds: whole(
      'seconds',
      [1, 86_400],
      120,
      'How long a seat (an opened user turn) waits for its words before it expires.',
    ),
    seatsMax: whole('turns', [1, 10_000], 64, 'Maximum number of waiting seats per conversation.'),
    sessionGraceSeconds: whole(
      'seconds',
      [1, 86_400],
      30,
      'How long a voice session stays open after its last socket has closed.',
    ),
    heldAudioSeconds: whole(
      'seconds',
      [1, 86_400],
      600,
      'How long audio that arrives before its turn is kept.',
    ),
    heldAudioMax: whole(
      'parts',
      [1, 10_000],
      256,
      'Maximum number of audio parts that can wait in one conversation.',
    ),
  },
  // At the highest of these limits, one request delays other requests by at most 200 ms:
  // docs/decisions/2026-11-27-large-bodies.md has the measurements.
  limits: {
    turnBytesMax: whole('bytes', [1024, mebibytes], 131_072, 'Maximum size of one turn.'),
    partsMax: whole('parts', [1, 1024], 64, 'Maximum parts of an answer, split at [SPLIT].'),
    traceBytesMax: whole('bytes', [2, mebibytes], 65_536, 'Maximum size of a retrieval trace.'),
    metadataBytesMax: whole('bytes', [2, mebibytes], 16_384, 'Maximum size of one metadata value.'),
    jsonDepthMax: whole('levels', [1, 512], 32, 'Maximum nesting of metadata and traces.'),
    urlsMax: whole('URLs', [1, 1024], 64, 'Maximum number of audio URLs of one message.'),
    pageLimitMax: whole('rows', [1, 1000], 200, 'Maximum number of rows on one page.'),
    changesBytesMax: whole(
      'bytes',
      [1024, 4 * mebibytes],
      mebibytes,
      'Size after which a page of changes ends.',
    ),
    historyMessagesMax: whole('messages', [1, 50_000], 10_000, 'Maximum length of a history.'),
    aheadSecondsMax: whole('seconds', [0, 86_400], 300, 'How far in the future a time may be.'),
  },
} as const satisfies Record<string, Record<string, Setting>>
