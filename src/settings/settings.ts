/**
 * The one table of settings. Paths in `turnlog.toml`, names in the environment, flags, the type of
 * `Config`, the messages about wrong values and what `turnlog config` prints all come from it.
 */

import Type from 'typebox'
import { list, oneOf, onOff, type Setting, secretUrl, text, whole } from './setting-forms.ts'

const origin = '[A-Za-z][A-Za-z0-9+.-]*://[^\\s,/?#@*]+'
// An IPv6 address has two colons: a name with one has a port.
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
      help: 'Address to listen on. One that other machines reach needs auth, or AUTH=none.',
      env: 'HOST',
      flag: 'host',
    },
    port: {
      ...whole('', [0, 65_535], 3000, 'Port to listen on; 0 takes any free one.'),
      env: 'PORT',
      flag: 'port',
    },
    shutdownGraceSeconds: whole(
      'seconds',
      [0, 3600],
      30,
      'How long a stop waits for work in hand.',
    ),
    allowedOrigins: {
      ...list(origin, 'origins such as https://app.example'),
      default: '',
      help: 'Web pages that may read, write and connect, beside those of this host and, on loopback, localhost.',
    },
    allowedHosts: {
      ...list(hostName, 'host names or addresses without ports'),
      default: '',
      help: 'Host names that are answered while nobody is authenticated; on loopback, beside loopback names.',
    },
    slowRequestMs: whole(
      'milliseconds',
      [0, 600_000],
      1000,
      'A request or a frame that takes longer is a line of the log; 0 turns that off.',
    ),
  },
  log: {
    level: oneOf(
      ['error', 'warn', 'info', 'debug'],
      'info',
      'The least grave lines that are written; debug names every request that was refused.',
    ),
    format: oneOf(
      ['auto', 'text', 'json'],
      'auto',
      'One line each; auto is text where standard error is a terminal, and JSON otherwise.',
    ),
    requests: onOff(false, 'Write a line for every request, at level info.'),
  },
  auth: {
    mode: {
      schema: Type.Literal('none'),
      expected: '"none", or left unset',
      default: undefined,
      help: 'Unset: serve this machine alone. none: serve others, too, without authentication.',
      env: 'AUTH',
      example: 'none',
    },
  },
  database: {
    url: secretUrl(
      postgres,
      { env: 'DATABASE_URL', example: 'postgres://turnlog:password@localhost:5432/turnlog' },
      'The Postgres of the service. Unset: an embedded one in database.dataDirectory.',
    ),
    migrateUrl: secretUrl(
      postgres,
      { env: 'MIGRATE_DATABASE_URL', example: 'postgres://owner:password@localhost:5432/turnlog' },
      'The same database for migrations, past PgBouncer. Unset: database.url.',
    ),
    dataDirectory: {
      ...text('^[^\\0]+$', 'the path of a directory'),
      default: '.turnlog',
      help: 'Where the embedded Postgres keeps its files.',
      env: 'TURNLOG_DATA',
    },
    connectionsMax: whole('connections', [1, 1000], 10, 'Size of the Postgres connection pool.'),
    prepare: onOff(true, 'Use prepared statements; off for a PgBouncer older than 1.21.'),
    deadlineMs: whole('milliseconds', [1, 600_000], 5000, 'A statement is cancelled after this.'),
    lockTimeoutMs: whole(
      'milliseconds',
      // Postgres takes 0 for "wait for ever".
      [1, 600_000],
      2000,
      'A write waits this long for a locked conversation; keep it below database.deadlineMs.',
    ),
    connectTimeoutMs: whole('milliseconds', [1, 600_000], 2000, 'A connection is given up then.'),
    startWaitSeconds: whole('seconds', [0, 3600], 30, 'A start waits this long for Postgres.'),
    migrateAtStart: onOff(true, 'Bring the tables up to date when the service starts.'),
    allowUnsafe: onOff(false, 'Start although Postgres runs without fsync or full_page_writes.'),
  },
  cache: {
    url: secretUrl(
      keyValue,
      { env: 'REDIS_URL', example: 'redis://localhost:6379/0' },
      'The Redis of the cache, or another key-value store. Unset: memory of this process.',
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
      'A read of a cache elsewhere goes to the database after this.',
    ),
    memoryBytesMax: whole(
      'bytes',
      [mebibytes, 65_536 * mebibytes],
      64 * mebibytes,
      'Bound of the cache in memory, where url is unset.',
    ),
    readyBytesMax: whole(
      'bytes',
      [0, 65_536 * mebibytes],
      64 * mebibytes,
      'Histories that this process keeps ready to send.',
    ),
  },
  jobs: {
    url: secretUrl(
      redis,
      { env: 'JOBS_REDIS_URL', example: 'redis://localhost:6379/1' },
      'The Redis of the job queue. Unset: database 1 of cache.url, or this process.',
    ),
  },
  writes: {
    lanes: whole('lanes', [1, 4], 2, 'Batches of turns in flight at once.'),
    batchTurnsMax: whole('turns', [1, 4096], 128, 'Most turns in one batch.'),
    batchBytesMax: whole('bytes', [1024, 2 * mebibytes], mebibytes, 'Most bytes in one batch.'),
    waitingTurnsMax: whole('turns', [1, 1_000_000], 4096, 'More turns waiting are refused: 503.'),
    waitingBytesMax: whole(
      'bytes',
      [1024, 4096 * mebibytes],
      64 * mebibytes,
      'More bytes waiting are refused: 503. Keep it above limits.turnBytesMax.',
    ),
  },
  live: {
    pingSeconds: whole('seconds', [1, 300], 20, 'How often a socket is asked whether it lives.'),
    pollMs: whole(
      'milliseconds',
      [100, 600_000],
      5000,
      'How often the database is asked for news of conversations that are followed here.',
    ),
    silentPollMs: whole(
      'milliseconds',
      [50, 60_000],
      500,
      'The same while the cache does not carry hints between nodes.',
    ),
    subscriptionsMax: whole('conversations', [1, 100_000], 128, 'Most that one socket follows.'),
    framesPerSecond: whole(
      'frames',
      [100, 1_000_000],
      5000,
      'Most that one socket sends in a second, pings included; one more for each KiB of a frame.',
    ),
    bufferSoftBytes: whole(
      'bytes',
      [1024, 64 * mebibytes],
      262_144,
      'A reader that leaves more unread is sent no more until it has caught up.',
    ),
    bufferHardBytes: whole(
      'bytes',
      [1024, 256 * mebibytes],
      4 * mebibytes,
      'A reader that leaves more unread is closed. Keep it above live.bufferSoftBytes.',
    ),
    pageBytesMax: whole(
      'bytes',
      [1024, 4 * mebibytes],
      131_072,
      'A change that catches a reader up ends after this many bytes.',
    ),
  },
  voice: {
    seatSeconds: whole(
      'seconds',
      [1, 86_400],
      120,
      'The words of an opened turn are awaited so long; then its seat is marked as expired.',
    ),
    seatsMax: whole('turns', [1, 10_000], 64, 'Most open turns of one conversation.'),
    sessionGraceSeconds: whole(
      'seconds',
      [1, 86_400],
      30,
      'A voice session ends by itself when its last socket has been gone so long.',
    ),
    heldAudioSeconds: whole(
      'seconds',
      [1, 86_400],
      600,
      'Audio that comes before its turn waits so long.',
    ),
    heldAudioMax: whole('parts', [1, 10_000], 256, 'Most audio that waits in one conversation.'),
  },
  // What one request may bring or take at these bounds keeps nobody else waiting for more than 200 ms:
  // docs/decisions/2026-11-27-large-bodies.md has what was measured.
  limits: {
    turnBytesMax: whole('bytes', [1024, mebibytes], 131_072, 'Most bytes of one turn.'),
    partsMax: whole('parts', [1, 1024], 64, 'Most parts of an answer, after [SPLIT].'),
    traceBytesMax: whole('bytes', [2, mebibytes], 65_536, 'Most bytes of a retrieval trace.'),
    metadataBytesMax: whole('bytes', [2, mebibytes], 16_384, 'Most bytes of one metadata.'),
    jsonDepthMax: whole('levels', [1, 512], 32, 'Deepest nesting of metadata and traces.'),
    urlsMax: whole('URLs', [1, 1024], 64, 'Most audio URLs of one message.'),
    pageLimitMax: whole('rows', [1, 1000], 200, 'Most rows of one page.'),
    changesBytesMax: whole(
      'bytes',
      [1024, 4 * mebibytes],
      mebibytes,
      'A page of changes ends after this many bytes.',
    ),
    historyMessagesMax: whole('messages', [1, 50_000], 10_000, 'Longest history in one answer.'),
    aheadSecondsMax: whole('seconds', [0, 86_400], 300, "How far ahead a caller's time may be."),
  },
} as const satisfies Record<string, Record<string, Setting>>
