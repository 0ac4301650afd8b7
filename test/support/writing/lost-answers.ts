import postgres from 'postgres'
import { openDatabase } from '../../../adapters/open.ts'
import { localPrincipal as me } from '../../../src/conversation/wire/principal.ts'
import type { NewTurn } from '../../../src/conversation/wire/schemas.ts'
import { Problem } from '../../../src/problem.ts'
import { testDatabaseUrl } from '../servers/postgres.ts'
import { startProxy } from '../servers/proxy.ts'
import { type OpenStore, openStore } from '../store.ts'

export const options = {
  directory: '.turnlog',
  connectionsMax: 8,
  prepare: true,
  deadlineMs: 1500,
  connectTimeoutMs: 1000,
  startWaitSeconds: 30,
  allowUnsafe: false,
}

export const turn = (text: string): NewTurn => ({
  user: { text },
  assistant: { responses: [text] },
})

export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'no problem'
  } catch (error) {
    if (error instanceof Problem) return error.code
    throw error
  }
}

/** Waits until the database answers again. */
export async function reachable({
  reader,
  id,
}: Pick<OpenStore, 'reader'> & { id: string }): Promise<void> {
  while ((await codeOf(reader.head(me, id))) !== 'no problem') await Bun.sleep(5)
}

/** Opens a store whose connections to Postgres all pass a proxy that can cut and freeze them. */
export async function proxied() {
  const url = new URL(await testDatabaseUrl())
  const proxy = await startProxy(Number(url.port))
  const directUrl = url.href
  const direct = postgres(directUrl, { max: 1, onnotice: () => {} })
  url.port = String(proxy.port)
  const opened = await openStore(await openDatabase({ ...options, url: url.href }))
  const { conversation } = await opened.store.createConversation(me, {})
  return {
    ...opened,
    proxy,
    direct,
    directUrl,
    id: conversation.id,
    async [Symbol.asyncDispose]() {
      await opened[Symbol.asyncDispose]()
      await direct.end()
      await proxy[Symbol.asyncDispose]()
    },
  }
}

/**
 * Locks the rows of conversations, as another writer would. The returned function releases them.
 */
export async function hold(
  sql: postgres.Sql,
  ids: readonly string[],
): Promise<() => Promise<void>> {
  const released = Promise.withResolvers<void>()
  const holding = Promise.withResolvers<void>()
  const transaction = sql.begin(async (inside) => {
    await inside`select from conversations where id in ${inside([...ids])} for update`
    holding.resolve()
    await released.promise
  })
  await holding.promise
  return async () => {
    released.resolve()
    await transaction
  }
}

/** The number of sessions of a database that wait for a lock. */
export async function waiters(database: string): Promise<number> {
  const url = Object.assign(new URL(await testDatabaseUrl()), { pathname: `/${database}` })
  const sql = postgres(url.href, { max: 1 })
  const [row] = await sql`select count(*)::int as n from pg_stat_activity
    where datname = ${database} and wait_event_type = 'Lock'`
  await sql.end()
  return Number(row?.['n'])
}

export const texts = async ({ reader, id }: Awaited<ReturnType<typeof proxied>>) =>
  (await reader.messages(me, id, { limit: 100, order: 'asc' })).messages.map((one) => one.content)
