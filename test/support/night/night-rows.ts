/**
 * The rows of the night table: failures of a database, and the answers and events that they cause.
 */
import type { ProblemCode } from '../../../src/problem.ts'
import type { ServerWorld, World, WorldOptions } from './night-worlds.ts'

/** The expected answers, readiness and log of a failure. */
export type Expected = {
  /** Problem code of every write. Undefined if writes succeed. */
  readonly code: ProblemCode | undefined
  /** SQLSTATE in the log line of a failed write. */
  readonly sqlState?: string
  /** Problem code of reads. Absent if reads succeed. */
  readonly reads?: ProblemCode
  /** Reason for which `/readyz` answers 503. Undefined if it stays 200. */
  readonly red: ProblemCode | undefined
  /** Reason for which `/readyz?for=reads` answers 503. Absent if it stays 200. */
  readonly redForReads?: ProblemCode
  /** Patterns that lines of the log must match, besides the lines of requests. */
  readonly lines?: readonly RegExp[]
}

export type Row<W extends World = World> = Expected & {
  readonly name: string
  readonly options?: WorldOptions
  /** Whether a trigger simulates the failure, because this machine cannot produce the real one. */
  readonly isSimulated?: (world: W) => boolean
  breakIt(world: W): Promise<unknown>
  mend(world: W): Promise<unknown>
}

/** SQL that makes a trigger with this body, which runs before every insert of a message. */
const onInsert = (body: string) => `
  create function night() returns trigger language plpgsql as $$ begin ${body} return new; end $$;
  create trigger night before insert on conversation_messages for each row execute function night()`

export const triggered = (body: string) => ({
  async breakIt({ sql }: World) {
    for (const statement of onInsert(body).split(/;\n/)) await sql(statement)
  },
  async mend({ sql }: World) {
    await sql('drop trigger night on conversation_messages')
    await sql('drop function night')
  },
})

/** Ends the service's sessions: a changed role applies only to sessions that are opened later. */
const endSessions = ({ sql, role }: ServerWorld) =>
  sql(`select pg_terminate_backend(pid) from pg_stat_activity where usename = '${role}'`)

/** Takes locks until the memory that all sessions share is full. */
const outOfMemory = 'perform pg_advisory_xact_lock(n) from generate_series(1, 10000000) n;'

/** The expected codes of most rows below: the database refuses the write. */
const isRefused = { code: 'database-refused', red: 'database-refused' } as const

const readOnly = {
  code: 'database-read-only',
  sqlState: '25006',
  red: 'database-read-only',
} as const

const cancellers = new WeakMap<World, ReturnType<typeof setInterval>>()

export const serverRows: readonly Row<ServerWorld>[] = [
  {
    name: 'inserts take 3 s',
    options: { deadlineMs: 20_000 },
    code: undefined,
    red: undefined,
    ...triggered(`if new.role = 'ai' then perform pg_sleep(3); end if;`),
  },
  {
    name: 'inserts take longer than the deadline',
    options: { deadlineMs: 1500 },
    code: 'database-slow',
    sqlState: '57014',
    red: 'database-slow',
    ...triggered('perform pg_sleep(60);'),
  },
  {
    name: 'the disk is full',
    code: 'database-full',
    sqlState: '53100',
    red: 'database-full',
    isSimulated: ({ disk }) => disk === undefined,
    async breakIt(world) {
      if (world.disk === undefined)
        return triggered(`raise exception 'no room' using errcode = '53100';`).breakIt(world)
      for (const table of ['conversations', 'conversation_messages'])
        await world.sql(`alter table ${table} set tablespace small`)
      world.disk.fill()
    },
    async mend(world) {
      if (world.disk === undefined) return triggered('').mend(world)
      world.disk.makeRoom()
      for (const table of ['conversations', 'conversation_messages'])
        await world.sql(`alter table ${table} set tablespace pg_default`)
    },
  },
  { name: 'the memory is full', ...isRefused, sqlState: '53200', ...triggered(outOfMemory) },
  {
    name: 'an operator cancels the statements',
    ...isRefused,
    sqlState: '57014',
    async breakIt(world) {
      await triggered('perform pg_sleep(60);').breakIt(world)
      const cancel = () =>
        world
          .sql(
            `select pg_cancel_backend(pid) from pg_stat_activity
             where usename = '${world.role}' and wait_event = 'PgSleep'`,
          )
          .catch(() => {})
      cancellers.set(
        world,
        setInterval(() => void cancel(), 50),
      )
    },
    async mend(world) {
      clearInterval(cancellers.get(world))
      await triggered('').mend(world)
    },
  },
  {
    name: 'the server is read-only',
    ...readOnly,
    async breakIt({ sql }) {
      await sql('alter system set default_transaction_read_only = on')
      await sql('select pg_reload_conf()')
    },
    async mend({ sql }) {
      await sql('alter system reset default_transaction_read_only')
      await sql('select pg_reload_conf()')
    },
  },
  {
    name: 'the role is read-only',
    ...readOnly,
    lines: [/SQLSTATE 25006: a session .* was closed/],
    async breakIt(world) {
      await world.sql(`alter role ${world.role} set default_transaction_read_only = on`)
      await endSessions(world)
    },
    mend: ({ sql, role }) => sql(`alter role ${role} reset default_transaction_read_only`),
  },
  {
    name: 'the database is read-only for its role',
    ...readOnly,
    async breakIt(world) {
      const { role, database } = world
      await world.sql(
        `alter role ${role} in database ${database} set default_transaction_read_only = on`,
      )
      await endSessions(world)
    },
    mend: ({ sql, role, database }) =>
      sql(`alter role ${role} in database ${database} reset default_transaction_read_only`),
  },
  {
    name: 'the server refuses connections',
    code: 'database-unavailable',
    reads: 'database-unavailable',
    red: 'database-unavailable',
    redForReads: 'database-unavailable',
    lines: [/database-lost/],
    async breakIt({ server, sql }) {
      // A stop writes all dirty pages of the rows before, which may take longer than the stop
      // waits.
      await sql('checkpoint')
      await server.stop()
    },
    mend: ({ server }) => server.restart(),
  },
  {
    name: 'the server is frozen',
    options: { deadlineMs: 1500 },
    code: 'database-unavailable',
    reads: 'database-unavailable',
    red: 'database-unavailable',
    redForReads: 'database-unavailable',
    lines: [/database-lost/],
    breakIt: async ({ server }) => server.freeze(),
    mend: async ({ server }) => server.thaw(),
  },
  {
    name: 'no connection is left for the role',
    ...isRefused,
    sqlState: '53300',
    reads: 'database-refused',
    redForReads: 'database-refused',
    lines: [/database-lost/],
    async breakIt(world) {
      await world.sql(`alter role ${world.role} connection limit 0`)
      await endSessions(world)
    },
    mend: ({ sql, role }) => sql(`alter role ${role} connection limit -1`),
  },
  {
    name: 'the role lost its right to insert',
    ...isRefused,
    sqlState: '42501',
    breakIt: ({ sql, role }) => sql(`revoke insert on conversation_messages from ${role}`),
    mend: ({ sql, role }) => sql(`grant insert on conversation_messages to ${role}`),
  },
  {
    name: 'the role lost its right to read',
    ...isRefused,
    sqlState: '42501',
    reads: 'database-refused',
    redForReads: 'database-refused',
    breakIt: ({ sql, role }) => sql(`revoke all on conversation_messages from ${role}`),
    mend: ({ sql, role }) => sql(`grant all on conversation_messages to ${role}`),
  },
  {
    name: 'a table is missing',
    ...isRefused,
    sqlState: '42P01',
    reads: 'database-refused',
    redForReads: 'database-refused',
    breakIt: ({ sql }) => sql('alter table conversation_messages rename to elsewhere'),
    mend: ({ sql }) => sql('alter table elsewhere rename to conversation_messages'),
  },
]

export const embeddedRows: readonly Row[] = [
  {
    name: 'inserts take longer than the deadline',
    code: undefined,
    red: undefined,
    ...triggered(`if new.role = 'ai' then perform pg_sleep(3.5); end if;`),
  },
  {
    name: 'the disk is full',
    code: 'database-full',
    sqlState: '53100',
    red: 'database-full',
    isSimulated: ({ disk }) => disk === undefined,
    breakIt: async (world) =>
      world.disk === undefined
        ? triggered(`raise exception 'no room' using errcode = '53100';`).breakIt(world)
        : world.disk.fill(),
    mend: async (world) =>
      world.disk === undefined ? triggered('').mend(world) : world.disk.makeRoom(),
  },
  {
    name: 'the disk is full for the write-ahead log',
    code: 'database-full',
    sqlState: '53100',
    reads: 'database-full',
    red: 'database-full',
    redForReads: 'database-full',
    lines: [/it ended, and will be opened again/, /was opened again/],
    isSimulated: ({ disk }) => disk === undefined,
    async breakIt(world) {
      if (world.disk === undefined)
        return triggered(`raise exception 'no room' using errcode = '53100';`).breakIt(world)
      world.disk.fill()
      // Writes until a log file of 16 MiB is full. There is no room for the next: Postgres panics.
      const text = `select pg_logical_emit_message(true, 'night', repeat('x', 1000000))`
      for (let isRunning = true; isRunning; )
        isRunning = await world.sql(text).then(
          () => true,
          () => false,
        )
    },
    mend: async (world) =>
      world.disk === undefined ? triggered('').mend(world) : world.disk.makeRoom(),
  },
  {
    name: 'the memory is full',
    ...isRefused,
    sqlState: '53200',
    isSimulated: () => true,
    ...triggered(`raise exception 'no memory' using errcode = '53200';`),
  },
  {
    name: 'the session is read-only',
    ...readOnly,
    breakIt: ({ sql }) => sql('set default_transaction_read_only = on'),
    mend: ({ sql }) => sql('set default_transaction_read_only = off'),
  },
  {
    name: 'a table is missing',
    ...isRefused,
    sqlState: '42P01',
    reads: 'database-refused',
    redForReads: 'database-refused',
    breakIt: ({ sql }) => sql('alter table conversation_messages rename to elsewhere'),
    mend: ({ sql }) => sql('alter table elsewhere rename to conversation_messages'),
  },
]
