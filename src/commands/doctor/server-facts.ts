/** The queries of the doctor to Postgres, through the database port. */
import type { Database } from '../../ports/database.ts'
import { type Check, checksOf } from './report.ts'

const { ok, note, wrong } = checksOf('database')

export type ServerFacts = {
  readonly name: string
  readonly version: string
  readonly versionNumber: number
  readonly fsync: string
  readonly fullPageWrites: string
  readonly synchronousCommit: string
  /** Maximum number of connections of this user to this database. */
  readonly usable: number
  /** Number of connections that other clients have now. */
  readonly sessions: number
  readonly isolation: string
  readonly readOnly: boolean
  readonly encoding: string
  /** Whether this user may create tables. */
  readonly mayCreate: boolean
}

/** A limit of -1 means no limit. Postgres has `reserved_connections` since version 16. */
const factsText = `SELECT current_database()::text AS "name",
  current_setting('server_version') AS "version",
  current_setting('server_version_num')::int4 AS "versionNumber",
  current_setting('fsync') AS "fsync",
  current_setting('full_page_writes') AS "fullPageWrites",
  current_setting('synchronous_commit') AS "synchronousCommit",
  least(
    current_setting('max_connections')::int4
      - current_setting('superuser_reserved_connections')::int4
      - coalesce(current_setting('reserved_connections', true), '0')::int4,
    (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user),
    (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database())
  ) AS "usable",
  (SELECT count(*)::int4 FROM pg_stat_activity
    WHERE datid IS NOT NULL AND pid <> pg_backend_pid()) AS "sessions",
  current_setting('default_transaction_isolation') AS "isolation",
  pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on' AS "readOnly",
  current_setting('server_encoding') AS "encoding",
  has_database_privilege(current_database(), 'CREATE')
    AND coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS "mayCreate"`

/** Reads the facts about the server and the user. */
export async function factsOf(database: Database): Promise<ServerFacts> {
  const [facts] = await database.query<ServerFacts>({ text: factsText, params: [] })
  if (facts === undefined) throw new Error(`${database.name} answered nothing`)
  return facts
}

const samples = 5

/**
 * Measures the median round trip, and the milliseconds by which the database's clock is ahead of
 * this machine's.
 */
export async function measure(
  database: Database,
): Promise<{ readonly latencyMs: number; readonly clockMs: number }> {
  const text = 'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::int8 AS "now"'
  const trips: { ms: number; ahead: number }[] = []
  // The first query connects, so it is not counted.
  await database.query({ text, params: [] })
  for (let sample = 0; sample < samples; sample += 1) {
    const [askedAt, started] = [Date.now(), performance.now()]
    const [row] = await database.query<{ now: number }>({ text, params: [] })
    const ms = performance.now() - started
    trips.push({ ms, ahead: (row?.now ?? Number.NaN) - (askedAt + ms / 2) })
  }
  trips.sort((a, b) => a.ms - b.ms)
  return {
    latencyMs: trips[Math.floor(samples / 2)]?.ms ?? Number.NaN,
    // The shortest round trip gives the most exact difference.
    clockMs: trips[0]?.ahead ?? Number.NaN,
  }
}

/** Latency in milliseconds above which clients notice the way to the database. */
const slowMs = 20

export function latencyCheck(ms: number): Check {
  const finding = `${ms.toFixed(1)} ms, the median of ${samples}`
  if (ms <= slowMs) return ok('latency', finding)
  return note(
    'latency',
    finding,
    'Every request waits this long at least: run the service closer to the database.',
  )
}

/**
 * Difference in milliseconds above which a clock is wrong. Clocks that are set by NTP differ by
 * less.
 */
const apartMs = 1000

export function clockCheck(ms: number): Check {
  const finding = `differs from this machine's clock by ${Math.abs(ms / 1000).toFixed(1)} s`
  if (Math.abs(ms) <= apartMs) return ok('clock', finding)
  return wrong(
    'clock',
    `${finding}: the database is ${ms > 0 ? 'ahead' : 'behind'}`,
    'Set the clocks of both machines by NTP: the times of turns come from the service.',
  )
}
