/**
 * Adopts a database that the seven migrations before the first release made. Its tables are those
 * of today's first two migrations. The functions are replaced. If nothing differs then, the two
 * migrations are recorded as run. All of this is one transaction.
 */
import { DatabaseError, StartRefusal } from '../../src/ports/database.ts'
import type { Ask } from './ask.ts'
import { differencesText, readCatalogFile, readDifferences } from './catalog.ts'
import { migrationFailure } from './failure.ts'
import { type Migration, recordOf } from './migration-state.ts'

/** The functions that exist after the seven migrations. */
const oldFunctions = [
  'attach_v1',
  'attach_v2',
  'begin_v1',
  'complete_v1',
  'create_v1',
  'end_voice_session_v1',
  'erase_v1',
  'expire_seats_v1',
  'interrupt_v1',
  'join_audio_v1',
  'keep_conversation',
  'open_v1',
  'patch_v1',
  'record_one_v1',
  'record_v1',
  'record_v2',
  'record_v3',
  'segment_v1',
  'start_voice_session_v1',
  'versions_v1',
].map((name) => `turnlog_${name}`)

/** The advice for a database that no release of this project can migrate. */
export const exportAdvice =
  'export it with the commit that made it, and import that into a new database with this release (drizzle/README.md)'

export type AdoptionOptions = {
  readonly serverName: string
  readonly folder: string
  readonly migrations: readonly Migration[]
}

/**
 * Adopts the database, or changes nothing.
 * @throws StartRefusal A table or a function differs from the expected one.
 */
export async function adopt(ask: Ask, options: AdoptionOptions): Promise<void> {
  const [tables, functions] = options.migrations
  if (tables === undefined || functions === undefined) throw new Error('The journal is empty')
  await ask('begin')
  try {
    await replaceFunctions(ask, functions, options)
    for (const { hash, when } of [tables, functions])
      await ask(
        `insert into drizzle.__drizzle_migrations (hash, created_at) values ('${hash}', ${when})`,
      )
    await ask(recordOf(tables) ?? '')
    await ask('commit')
  } catch (thrown) {
    // The rollback may fail because the connection is lost. The server then rolls back by itself.
    await ask('rollback').catch(() => {})
    throw migrationFailure(thrown, options.serverName)
  }
}

/** Replaces the functions by those of their migration, which also records itself as run. */
async function replaceFunctions(ask: Ask, functions: Migration, options: AdoptionOptions) {
  const { serverName, folder } = options
  const expected = readCatalogFile(folder, functions.tag)
  const refuseAt = (differences: readonly string[]) => {
    if (differences.length > 0) throw refusal(serverName, differencesText(differences))
  }
  // The tables are compared first. If a table differs, a function that cannot be made says less
  // about it.
  refuseAt(await readDifferences(ask, expected, (key) => !/^(function|trigger) /.test(key)))
  for (const statement of functions.statements) {
    const [, object = 'a statement'] =
      /^CREATE OR REPLACE (FUNCTION \w+|TRIGGER \w+)/m.exec(statement) ?? []
    await ask(statement).catch((thrown: unknown) => refuseDefinition(thrown, serverName, object))
  }
  for (const name of oldFunctions.filter((each) => !isIn(functions, each)))
    await ask(`drop function if exists ${name}`).catch((thrown: unknown) =>
      refuseDefinition(thrown, serverName, `FUNCTION ${name}`),
    )
  refuseAt(await readDifferences(ask, expected))
}

const isIn = ({ statements }: Migration, name: string) =>
  statements.some((statement) => statement.includes(`CREATE OR REPLACE FUNCTION ${name}(`))

/**
 * Throws a refusal if an object is not as expected: class 42, except for 42501, which says that the
 * user has no right to change the object. Other errors are thrown on.
 */
function refuseDefinition(thrown: unknown, serverName: string, object: string): never {
  const failure = migrationFailure(thrown, serverName)
  const { sqlState = '' } = failure instanceof DatabaseError ? failure : {}
  if (failure instanceof DatabaseError && /^42(?!501)/.test(sqlState))
    throw refusal(serverName, `${object.toLowerCase()} cannot be replaced: ${failure.message}`)
  throw failure
}

const refusal = (serverName: string, differences: string) =>
  new StartRefusal(
    `${serverName} was made before the first release and its schema is not as expected: ${differences}. Undo these changes, or ${exportAdvice}.`,
  )
