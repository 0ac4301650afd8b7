/** Checks of the database: whether it answers, its latency, its configuration and its schema. */

import type { Config } from '../../config.ts'
import type { Inspection } from '../../resources.ts'
import { connectAdvice, reasonOf } from './failure.ts'
import { type Check, checksOf } from './report.ts'
import { schemaChecks } from './schema.ts'
import { clockCheck, factsOf, latencyCheck, measure, type ServerFacts } from './server-facts.ts'

const { ok, note, wrong } = checksOf('database')

/** Checks the Postgres server if one is configured, and otherwise the embedded database. */
export async function databaseChecks(config: Config, inspection: Inspection): Promise<Check[]> {
  const { url, migrateUrl } = config.database
  if (url === undefined) return await embeddedChecks(config, inspection)
  const found = await serverChecks(config, inspection, url)
  return migrateUrl === undefined
    ? found
    : [...found, ...(await migrationChecks(inspection, migrateUrl))]
}

async function serverChecks(config: Config, inspection: Inspection, url: string): Promise<Check[]> {
  let databaseName = 'the database'
  try {
    await using database = await inspection.open(url)
    databaseName = database.name
    const { latencyMs, clockMs } = await measure(database)
    const facts = await factsOf(database)
    return [
      ok('server', `${databaseName} answers`),
      latencyCheck(latencyMs),
      ...fitness(facts, config),
      ...(await schemaChecks(database, config, inspection, facts.mayCreate)),
      clockCheck(clockMs),
    ]
  } catch (thrown) {
    return [
      wrong(
        'server',
        reasonOf(thrown, databaseName),
        connectAdvice(thrown, 'database.url, DATABASE_URL'),
      ),
    ]
  }
}

/**
 * Checks the configuration of a server: whether turns are safe on it, and whether it has room for
 * the pool.
 */
export function fitness(facts: ServerFacts, config: Config): Check[] {
  const { allowUnsafe } = config.database
  const off = facts.fsync === 'off' || facts.fullPageWrites === 'off'
  const durability = `fsync ${facts.fsync}, full_page_writes ${facts.fullPageWrites}, synchronous_commit ${facts.synchronousCommit}`
  const raised = ['off', 'local'].includes(facts.synchronousCommit)
  return [
    facts.versionNumber < 140_000
      ? wrong(
          'version',
          `Postgres ${facts.version} is too old: version 14 or later is needed`,
          'Upgrade the server.',
        )
      : ok('version', `Postgres ${facts.version}`),
    off
      ? (allowUnsafe ? note : wrong)(
          'durability',
          `${durability}: acknowledged turns can be lost`,
          'Turn fsync and full_page_writes on in postgresql.conf.',
        )
      : ok('durability', raised ? `${durability}, which every write raises to on` : durability),
    roomCheck(facts, config),
    facts.isolation === 'read committed'
      ? ok('isolation', facts.isolation)
      : wrong(
          'isolation',
          `default_transaction_isolation is ${facts.isolation}, on which every write fails`,
          `ALTER DATABASE ${JSON.stringify(facts.name)} SET default_transaction_isolation = 'read committed';`,
        ),
    ...(facts.readOnly
      ? [
          wrong(
            'writable',
            'the server accepts no writes: it is a standby, or default_transaction_read_only is on',
            'Set DATABASE_URL to the primary, or turn default_transaction_read_only off.',
          ),
        ]
      : []),
    ...(facts.encoding === 'UTF8'
      ? []
      : [
          wrong(
            'encoding',
            `${facts.encoding}, which cannot hold every text`,
            "Create a new database with ENCODING 'UTF8'.",
          ),
        ]),
  ]
}

/** Checks whether the server has room for the pool and one connection for migrations. */
function roomCheck(facts: ServerFacts, { database: { connectionsMax } }: Config): Check {
  const { usable, sessions } = facts
  const used = `the pool opens up to ${connectionsMax} of ${usable}; in use now: ${sessions}`
  if (connectionsMax + 1 > usable)
    return wrong(
      'connections',
      used,
      'Lower database.connectionsMax, or raise max_connections on the server.',
    )
  if (sessions + connectionsMax + 1 > usable)
    return note(
      'connections',
      used,
      'Another node would not get all its connections: lower database.connectionsMax, or raise max_connections.',
    )
  return ok('connections', used)
}

async function migrationChecks(inspection: Inspection, migrateUrl: string): Promise<Check[]> {
  let databaseName = 'the database for migrations'
  try {
    await using database = await inspection.open(migrateUrl)
    databaseName = database.name
    const { latencyMs } = await measure(database)
    return [ok('migrations', `${databaseName} answers in ${latencyMs.toFixed(1)} ms`)]
  } catch (thrown) {
    const setting = 'database.migrateUrl, MIGRATE_DATABASE_URL'
    return [wrong('migrations', reasonOf(thrown, databaseName), connectAdvice(thrown, setting))]
  }
}

async function embeddedChecks(config: Config, inspection: Inspection): Promise<Check[]> {
  const { dataDirectory } = config.database
  const databaseName = `embedded Postgres in ${dataDirectory}`
  try {
    const { made, foreign, holder, bytes } = await inspection.directory()
    const size = `${(bytes / 1_000_000).toFixed(0)} MB`
    if (holder !== undefined)
      return [
        ok('directory', `${dataDirectory} is locked by process ${holder}; ${size}`),
        note(
          'server',
          `${databaseName} answers only that process`,
          'See below whether the service is ready.',
        ),
      ]
    if (foreign)
      return [
        wrong(
          'directory',
          `${dataDirectory} has other files in it, and no data of Turnlog's`,
          'Name a directory that is empty or does not exist yet, with TURNLOG_DATA.',
        ),
      ]
    if (!made)
      return [
        note(
          'directory',
          `${dataDirectory} has no data yet`,
          'The first start creates them, which takes about 5 s and 1 GB of memory.',
        ),
      ]
    // The directory is locked for a moment, as by a start. No other process can open it meanwhile.
    await using database = await inspection.open(undefined)
    const { latencyMs } = await measure(database)
    const { version, mayCreate } = await factsOf(database)
    return [
      ok('directory', `${dataDirectory} is free; ${size}`),
      ok('server', `${databaseName} opens: version ${version}`),
      latencyCheck(latencyMs),
      ...(await schemaChecks(database, config, inspection, mayCreate)),
    ]
  } catch (thrown) {
    return [
      wrong(
        'server',
        reasonOf(thrown, databaseName),
        'Check the directory and its permissions, or set another directory with TURNLOG_DATA.',
      ),
    ]
  }
}
