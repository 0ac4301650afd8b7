/** The Postgres of all measurements: its process, its version, and the settings that matter. */
import { readFileSync } from 'node:fs'
import postgres from 'postgres'
import type { WatchedProcesses } from './cpu.ts'

const settings = ['synchronous_commit', 'fsync', 'full_page_writes', 'shared_buffers']

export type PostgresFacts = {
  readonly version: string
  readonly settings: Readonly<Record<string, string>>
}

async function withConnection<Answer>(url: string, ask: (sql: postgres.Sql) => Promise<Answer>) {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    return await ask(sql)
  } finally {
    await sql.end()
  }
}

/** Vacuums and analyses now, so that autovacuum does not do it during a measurement. */
export const analyse = (url: string) => withConnection(url, (sql) => sql`vacuum analyze`)

/**
 * The version and the settings. Refuses a Postgres that does not write its commits to disk: its
 * figures do not compare.
 */
export async function postgresFacts(url: string): Promise<PostgresFacts> {
  return await withConnection(url, async (sql) => {
    const [first] = await sql<
      { version: string }[]
    >`select current_setting('server_version') as version`
    const rows = await sql<{ name: string; value: string }[]>`
      select name, current_setting(name) as value from pg_settings where name in ${sql(settings)} order by name`
    const values = Object.fromEntries(rows.map(({ name, value }) => [name, value]))
    for (const name of ['synchronous_commit', 'fsync'])
      if (values[name] !== 'on')
        throw new Error(`Postgres has ${name}=${values[name]}; it must be on`)
    return { version: first?.version ?? 'unknown', settings: values }
  })
}

/** The postmaster and its children, to be watched. Empty if the server is on another machine. */
export const watchedPostgres = (url: string): Promise<WatchedProcesses> =>
  withConnection(url, async (sql) => {
    const [row] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`
    try {
      const stat = readFileSync(`/proc/${row?.pid}/stat`, 'utf8')
      if (!stat.includes('(postgres)')) return {}
      // The parent of the process that serves this connection is the postmaster.
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
      return { postgres: { family: parent } }
    } catch {
      return {}
    }
  })
