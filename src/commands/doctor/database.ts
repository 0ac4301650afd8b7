/** What a doctor says of the database: whether it answers, how soon, and whether it is fit. */

import type { Config } from '../../config.ts'
import type { Inspection } from '../../resources.ts'
import { connectAdvice, reasonOf } from './failure.ts'
import { type Check, checksOf } from './report.ts'
import { schemaChecks } from './schema.ts'
import { clockCheck, factsOf, latencyCheck, measure, type ServerFacts } from './server-facts.ts'

const { ok, note, wrong } = checksOf('database')

/** Of the server, if one is configured, and of the embedded database else. */
export async function databaseChecks(config: Config, inspection: Inspection): Promise<Check[]> {
  const { url, migrateUrl } = config.database
  if (url === undefined) return await embeddedChecks(config, inspection)
  const found = await serverChecks(config, inspection, url)
  return migrateUrl === undefined
    ? found
    : [...found, ...(await migrationChecks(inspection, migrateUrl))]
}

async function serverChecks(config: Config, inspection: Inspection, url: string): Promise<Check[]> {
  let place = 'the database'
  try {
    await using database = await inspection.open(url)
    place = database.name
    const { latencyMs, clockMs } = await measure(database)
    const facts = await factsOf(database)
    return [
      ok('server', `${place} answers`),
      latencyCheck(latencyMs),
      ...fitness(facts, config),
      ...(await schemaChecks(database, config, inspection, facts.mayCreate)),
      clockCheck(clockMs),
    ]
  } catch (thrown) {
    return [
      wrong('server', reasonOf(thrown, place), connectAdvice(thrown, 'database.url, DATABASE_URL')),
    ]
  }
}

/** What of a server's configuration decides whether turns are safe and find room. */
export function fitness(facts: ServerFacts, config: Config): Check[] {
  const { allowUnsafe } = config.database
  const off = facts.fsync === 'off' || facts.fullPageWrites === 'off'
  const durability = `fsync ${facts.fsync}, full_page_writes ${facts.fullPageWrites}, synchronous_commit ${facts.synchronousCommit}`
  const raised = ['off', 'local'].includes(facts.synchronousCommit)
  return [
    facts.versionNumber < 140_000
      ? wrong(
          'version',
          `Postgres ${facts.version}, and 14 is the oldest that will do`,
          'Upgrade the server.',
        )
      : ok('version', `Postgres ${facts.version}`),
    off
      ? (allowUnsafe ? note : wrong)(
          'durability',
          `${durability}: confirmed turns can be lost`,
          'Turn fsync and full_page_writes on in postgresql.conf.',
        )
      : ok('durability', raised ? `${durability}, raised to on for every write` : durability),
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
            'the server takes no writes: it is a standby, or default_transaction_read_only is on',
            'Let DATABASE_URL name the primary.',
          ),
        ]
      : []),
    ...(facts.encoding === 'UTF8'
      ? []
      : [
          wrong(
            'encoding',
            `${facts.encoding}, which cannot hold every text`,
            "Make the database anew with ENCODING 'UTF8'.",
          ),
        ]),
  ]
}

/** The pool, and one more for migrations, beside everybody else's connections. */
function roomCheck(facts: ServerFacts, { database: { connectionsMax } }: Config): Check {
  const { usable, sessions } = facts
  const used = `${connectionsMax} at most of ${usable}; in use now: ${sessions}`
  if (connectionsMax + 1 > usable)
    return wrong(
      'connections',
      used,
      'Lower database.connectionsMax, or raise max_connections on the server.',
    )
  if (sessions + connectionsMax + 1 > usable)
    return note('connections', used, 'One more node would not find as many as it may take.')
  return ok('connections', used)
}

async function migrationChecks(inspection: Inspection, migrateUrl: string): Promise<Check[]> {
  let place = 'the database for migrations'
  try {
    await using database = await inspection.open(migrateUrl)
    place = database.name
    const { latencyMs } = await measure(database)
    return [ok('migrations', `${place} answers in ${latencyMs.toFixed(1)} ms`)]
  } catch (thrown) {
    const setting = 'database.migrateUrl, MIGRATE_DATABASE_URL'
    return [wrong('migrations', reasonOf(thrown, place), connectAdvice(thrown, setting))]
  }
}

async function embeddedChecks(config: Config, inspection: Inspection): Promise<Check[]> {
  const { dataDirectory } = config.database
  const place = `embedded Postgres in ${dataDirectory}`
  try {
    const { made, foreign, holder, bytes } = await inspection.directory()
    const size = `${(bytes / 1_000_000).toFixed(0)} MB`
    if (holder !== undefined)
      return [
        ok('directory', `${dataDirectory} is held by process ${holder}; ${size}`),
        note('server', `${place} answers that process alone`, 'The service below speaks for it.'),
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
          'The first start makes it, which takes some 5 s and 1 GB of memory.',
        ),
      ]
    // Taken for a moment, as by a start: nobody else may open it meanwhile.
    await using database = await inspection.open(undefined)
    const { latencyMs } = await measure(database)
    const { version, mayCreate } = await factsOf(database)
    return [
      ok('directory', `${dataDirectory} is free; ${size}`),
      ok('server', `${place} opens: version ${version}`),
      latencyCheck(latencyMs),
      ...(await schemaChecks(database, config, inspection, mayCreate)),
    ]
  } catch (thrown) {
    return [
      wrong(
        'server',
        reasonOf(thrown, place),
        'Check the directory and its rights, or set another one with TURNLOG_DATA.',
      ),
    ]
  }
}
