/**
 * The night table: every way in which a database fails. For each, it checks the caller's answer,
 * the log and `/readyz`, and that everything works again after the repair. It is printed at the
 * end.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { problems } from '../../src/problem.ts'
import {
  type Expected,
  embeddedRows,
  type Row,
  serverRows,
  triggered,
} from '../support/night/night-rows.ts'
import { openEmbedded, openServer, type Server, type World } from '../support/night/night-worlds.ts'
import type { Answer } from '../support/servers/app.ts'
import { until } from '../support/servers/processes.ts'

/** A large random text: it fills a disk soon, and cannot be compressed. */
const words = () => Buffer.from(crypto.getRandomValues(new Uint8Array(6000))).toString('base64')

const turn = () => ({ user: { text: 'Hello' }, assistant: { responses: [words()] } })

/** Two conversations of one service. */
async function conversationsOf({ app }: World) {
  const paths: string[] = []
  for (let n = 0; n < 2; n += 1) {
    const { body } = await app.ask('POST', '/v1/conversations', {})
    paths.push(`/v1/conversations/${String(body['id'])}`)
  }
  const writeTo = (path: string) =>
    app.ask('POST', `${path}/turns`, turn(), { 'idempotency-key': crypto.randomUUID() })
  return {
    /** The path of the first conversation. */
    path: paths[0] ?? '',
    write: () => writeTo(paths[0] ?? ''),
    writeAll: () => Promise.all(paths.map(writeTo)),
    read: () => app.ask('GET', `${paths[0]}/messages`),
  }
}

const readiness = async ({ app }: World, query = '') => {
  const { status, body } = await app.ask('GET', `/readyz${query}`)
  const { database } = Object(body['dependencies'])
  return { status, reason: database.reason, state: database.status }
}

const lines = ({ app }: World): Record<string, unknown>[] =>
  app.log.map((line) => Object(JSON.parse(line)))

/** Checks the problem that the caller of a failed write gets. */
function expectProblem(answer: Answer, code: NonNullable<Expected['code']>) {
  const { status, title, retryable } = problems[code]
  expect(answer.body).toMatchObject({ code, status, title, retryable: true })
  expect([answer.status, retryable]).toEqual([503, true])
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
  expect(answer.text).not.toMatch(/SQLSTATE|conversation_messages|\/base\/|turnlog_|127\.0\.0\.1/)
}

const table: string[][] = []

/** Breaks the database, checks answers, log and readiness, mends it, and checks again. */
async function breakAndMend<W extends World>(where: string, world: W, row: Row<W>): Promise<void> {
  const { write, writeAll, read } = await conversationsOf(world)
  expect((await writeAll()).map(({ status }) => status)).toEqual([201, 201])
  expect(await readiness(world)).toMatchObject({ status: 200, state: 'up' })
  await row.breakIt(world)

  const { code } = row
  let answer = await write()
  if (code === undefined) expect(answer.status).toBe(201)
  else {
    // The first writes may still find room, or have an unknown outcome. Then all fail for one
    // reason.
    await until(
      'writes fail for the reason',
      async () => {
        if (answer.body['code'] === code) return true
        if (answer.status !== 201) expect(answer.body['code']).toBe('outcome-unknown')
        answer = await write()
        return false
      },
      60_000,
    )
    for (const each of [answer, ...(await writeAll())]) expectProblem(each, code)
  }
  const answered = await read()
  if (row.reads === undefined) expect(answered.status).toBe(200)
  else expectProblem(answered, row.reads)

  if (row.red !== undefined)
    await until('/readyz is red', async () => (await readiness(world)).status === 503, 60_000)
  const [ready, readyForReads] = [await readiness(world), await readiness(world, '?for=reads')]
  expect(ready).toEqual({
    status: row.red === undefined ? 200 : 503,
    reason: row.red,
    state: row.red === undefined ? 'up' : 'down',
  })
  expect(readyForReads).toEqual({
    status: row.redForReads === undefined ? 200 : 503,
    reason: row.red,
    state: row.redForReads === undefined ? 'up' : 'down',
  })

  await row.mend(world)
  await until('/readyz is green again', async () => (await readiness(world)).status === 200, 60_000)
  const after = await writeAll()
  expect(after.map(({ status }) => status)).toEqual([201, 201])
  expect((await read()).status).toBe(200)

  table.push([
    where,
    `${row.name}${row.isSimulated?.(world) === true ? ' (made by a trigger)' : ''}`,
    code === undefined ? '201' : `503 ${code}, retryable`,
    row.reads === undefined ? '200' : `503 ${row.reads}`,
    logged(world, row),
    `${ready.status}${ready.reason === undefined ? '' : ` ${ready.reason}`}`,
    String(readyForReads.status),
    '200, 201',
  ])
}

/**
 * Checks that the log has the events of the row and a line of the failed write, and returns the
 * events.
 */
function logged(world: World, row: Expected): string {
  const { code, sqlState, red, redForReads, lines: patterns = [] } = row
  const found = lines(world)
  const of = (event: string) => found.filter((line) => line['event'] === event)
  for (const line of patterns) expect(world.app.log.some((each) => line.test(each))).toBe(true)
  if (code === undefined) expect(of('request-slow').length).toBeGreaterThan(0)
  else {
    const unserved = of('request-unserved').find(
      (line) => line['code'] === code && String(line['route']).startsWith('POST '),
    )
    expect(unserved).toMatchObject({ level: 'error', status: 503, ms: expect.any(Number) })
    expect(unserved?.['route']).toMatch(/^POST \/v1\/conversations\/[-0-9a-f]{36}\/turns$/)
    expect(unserved?.['requestId']).toBeString()
    expect(unserved?.['sqlState']).toBe(sqlState)
  }
  // If reads fail, too, no probe has to write to find out that writes fail.
  if (redForReads === undefined) {
    expect(of('writes-lost').at(-1)?.['code']).toBe(red)
    expect(of('writes-back').length > 0).toBe(red !== undefined)
  }
  const events = [...new Set(found.map(({ event }) => String(event)))]
  return events
    .map((event) =>
      event === 'request-unserved'
        ? `${event} ${code}${sqlState === undefined ? '' : ` ${sqlState}`}`
        : event,
    )
    .join(', ')
}

describe('failures of a database server', () => {
  let server: Server
  beforeAll(async () => {
    server = await openServer()
  }, 60_000)
  afterAll(() => server[Symbol.asyncDispose]())

  for (const row of serverRows)
    test(`the answers, the log and /readyz show the reason while ${row.name} on a server, and recover after a repair`, async () => {
      await using world = await server.world(row.options)
      await breakAndMend('server', world, row)
    }, 120_000)
})

describe('refusals that are no failure of the database', () => {
  let server: Server
  beforeAll(async () => {
    server = await openServer()
  }, 60_000)
  afterAll(() => server[Symbol.asyncDispose]())
  const staysGreen = async (world: World) => {
    expect(await readiness(world)).toEqual({ status: 200, reason: undefined, state: 'up' })
    expect(world.app.log.join()).not.toContain('writes-lost')
  }

  test('a conversation that another writer has locked leaves /readyz green', async () => {
    await using world = await server.world()
    const { write, path } = await conversationsOf(world)
    const id = path.split('/').at(-1)
    const held = await world.begin(`select from conversations where id = '${id}' for update`)
    for (let n = 0; n < 4; n += 1)
      expect((await write()).body).toMatchObject({ code: 'conversation-busy', retryable: true })
    await staysGreen(world)
    await held.commit()
    expect((await write()).status).toBe(201)
  }, 60_000)

  test('a conversation whose rows the database refuses leaves /readyz green, and the rest of its batch is recorded', async () => {
    await using world = await server.world()
    const { write, writeAll, path } = await conversationsOf(world)
    const id = path.split('/').at(-1)
    const broken = `if new.conversation_id = '${id}' then raise exception 'broken'; end if;`
    await triggered(broken).breakIt(world)
    for (let n = 0; n < 4; n += 1) {
      expect((await write()).body['code']).toBe('database-refused')
      await staysGreen(world)
    }
    const [refused, recorded] = await writeAll()
    expect([refused?.body['code'], recorded?.status]).toEqual(['database-refused', 201])
    await staysGreen(world)
    // The probes left no conversation behind.
    const [row] = await world.sql('select count(*)::int as n from conversations')
    expect(row).toEqual({ n: 2 })
  }, 60_000)
})

describe('failures of the embedded database', () => {
  for (const row of embeddedRows)
    test(`the answers, the log and /readyz show the reason while ${row.name} in the embedded database, and recover after a repair`, async () => {
      await using world = await openEmbedded()
      await breakAndMend('embedded', world, row)
    }, 180_000)
})

afterAll(() => {
  const head = [
    'where',
    'what',
    'writes',
    'reads',
    'log',
    '/readyz',
    '?for=reads',
    'mended: /readyz, write',
  ]
  for (const cells of [head, head.map(() => '---'), ...table])
    process.stdout.write(`| ${cells.join(' | ')} |\n`)
})
