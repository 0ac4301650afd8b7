/** What a doctor says of the database: whether it answers, how soon, and whether it is fit. */

import type { Config } from '../../config.ts'
import type { Database } from '../../ports/database.ts'
import type { Inspection } from '../../resources.ts'
import { connectAdvice, reasonOf } from './failure.ts'
import { type Check, checksOf } from './report.ts'
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
      await schemaCheck(database, config, inspection, facts.mayCreate),
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

async function schemaCheck(
  database: Database,
  { database: { migrateAtStart, migrateUrl } }: Config,
  inspection: Inspection,
  mayCreate: boolean,
): Promise<Check> {
  const state = await inspection.schema(database)
  if (state === 'current') return ok('schema', 'up to date')
  if (state === 'newer')
    return wrong(
      'schema',
      'a newer release has changed it beyond what this one works with',
      'Run the newer release.',
    )
  const finding = state === 'missing' ? 'not there yet' : 'older than this release'
  if (!migrateAtStart)
    return wrong('schema', finding, 'Run `turnlog migrate`: database.migrateAtStart is off.')
  if (!mayCreate && migrateUrl === undefined)
    return wrong(
      'schema',
      `${finding}, and this user may not create it`,
      'Grant CREATE on the database and its schema, or set MIGRATE_DATABASE_URL to a user who may.',
    )
  return note('schema', finding, 'The next start brings it up to date; so does `turnlog migrate`.')
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
      await schemaCheck(database, config, inspection, mayCreate),
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
