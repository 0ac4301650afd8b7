/** The log lines of requests, on a real Postgres that refuses, waits or works. */
import { describe, expect, test } from 'bun:test'
import { createEvents, type LogOptions } from '../../../src/events.ts'
import type { Database } from '../../../src/ports/database.ts'
import { onEveryMessage } from '../../support/meddling.ts'
import { testApp } from '../../support/servers/app.ts'
import { freshPostgres } from '../../support/servers/databases.ts'
import { until } from '../../support/servers/processes.ts'

type Line = Readonly<Record<string, unknown>>

async function logging(
  options: LogOptions & { slowRequestMs?: number; requests?: boolean; database: Database },
) {
  const { database, slowRequestMs = 0, requests = false, ...log } = options
  const lines: string[] = []
  const app = await testApp({
    database,
    events: createEvents((line) => lines.push(line), log),
    overrides: { server: { slowRequestMs }, log: { requests } },
  })
  lines.length = 0
  return {
    app,
    lines: (): Line[] => lines.map((line) => JSON.parse(line)),
    text: () => lines.join(),
  }
}

const full = `RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'`
const turn = { assistant: { responses: ['Said by somebody'] } }

describe('the log line of a failed request', () => {
  test('a 503 is logged with its code, SQLSTATE, route, time, request id and conversation', async () => {
    await using database = await freshPostgres()
    const { app, lines, text } = await logging({ database })
    await using _ = app
    const id = String((await app.ask('POST', '/v1/conversations', {})).body.id)
    await onEveryMessage(database, full)
    const path = `/v1/conversations/${id}/turns`
    const { status, body } = await app.ask('POST', path, turn, { 'turnlog-request-id': 'mine' })
    expect(status).toBe(503)
    expect(lines()).toEqual([
      {
        time: expect.any(String),
        level: 'error',
        event: 'request-unserved',
        code: body.code,
        status,
        route: `POST ${path}`,
        ms: expect.any(Number),
        requestId: 'mine',
        conversationId: id,
        sqlState: '53100',
        reason: expect.stringContaining('could not extend file'),
      },
    ])
    expect(text()).not.toMatch(/Said by|INSERT|SELECT/i)
  })

  test('the logged route of a failed request has no query', async () => {
    await using database = await freshPostgres()
    const { app, lines, text } = await logging({ database, requests: true })
    await using _ = app
    await database.query({ text: 'DROP TABLE conversations CASCADE', params: [] })
    await app.ask('GET', '/v1/conversations?externalId=secret')
    expect(lines().map(({ event, route }) => [event, route])).toEqual([
      ['request', 'GET /v1/conversations'],
      ['request-unserved', 'GET /v1/conversations'],
    ])
    expect(text()).not.toContain('secret')
  })

  test('thirty equal failures are logged as ten lines and one that counts the other twenty', async () => {
    await using database = await freshPostgres()
    const { app, lines } = await logging({ database, windowMs: 5000 })
    await using _ = app
    const { id } = (await app.ask('POST', '/v1/conversations', {})).body
    await onEveryMessage(database, full)
    const send = () => app.ask('POST', `/v1/conversations/${String(id)}/turns`, turn)
    await Promise.all(Array.from({ length: 30 }, send))
    const unserved = () => lines().filter(({ event }) => event === 'request-unserved')
    await until('the count is written', () => unserved().length === 11)
    expect(unserved().at(-1)).toMatchObject({ leftOut: 20 })
  }, 30_000)

  test('a 503 of /readyz is logged as a warning with the code not-ready', async () => {
    await using database = await freshPostgres()
    const { app, lines } = await logging({ database })
    await using _ = app
    app.drain()
    expect((await app.ask('GET', '/readyz')).status).toBe(503)
    expect(lines()).toEqual([
      expect.objectContaining({ level: 'warn', code: 'not-ready', route: 'GET /readyz' }),
    ])
  })
})

describe('the log line of a slow request', () => {
  test('a request slower than server.slowRequestMs is logged, and a faster one is not', async () => {
    await using database = await freshPostgres()
    const { app, lines } = await logging({ database, slowRequestMs: 300 })
    await using _ = app
    const { id } = (await app.ask('POST', '/v1/conversations', {})).body
    const send = () => app.ask('POST', `/v1/conversations/${String(id)}/turns`, turn)
    await onEveryMessage(database, 'PERFORM pg_sleep(0.4)')
    expect((await send()).status).toBe(201)
    const slow = lines().filter(({ route }) => String(route).endsWith('/turns'))
    expect(slow).toEqual([
      expect.objectContaining({
        level: 'warn',
        event: 'request-slow',
        status: 201,
        conversationId: id,
      }),
    ])
    expect(Number(slow[0]?.ms)).toBeGreaterThan(300)
  })

  test('server.slowRequestMs of 0 logs no slow request', async () => {
    await using database = await freshPostgres()
    const { app, lines } = await logging({ database, slowRequestMs: 0 })
    await using _ = app
    const { id } = (await app.ask('POST', '/v1/conversations', {})).body
    await onEveryMessage(database, 'PERFORM pg_sleep(0.1)')
    await app.ask('POST', `/v1/conversations/${String(id)}/turns`, turn)
    expect(lines()).toEqual([])
  })
})

describe('the request log', () => {
  test('every request has a line if log.requests is on', async () => {
    await using database = await freshPostgres()
    const { app, lines } = await logging({ database, requests: true })
    await using _ = app
    await app.ask('POST', '/v1/conversations', {}, { 'content-length': '2' })
    await app.ask('HEAD', '/healthz')
    await app.ask('GET', '/nope')
    expect(lines()).toEqual([
      expect.objectContaining({
        level: 'info',
        route: 'POST /v1/conversations',
        status: 201,
        bytes: 2,
      }),
      expect.objectContaining({ event: 'request', route: 'HEAD /healthz', status: 200 }),
      expect.objectContaining({ event: 'request', route: 'GET /nope', status: 404 }),
    ])
  })

  test('a 4xx is logged at the level debug only', async () => {
    await using database = await freshPostgres()
    for (const [level, expected] of [
      ['debug', ['request-refused']],
      ['info', []],
    ] as const) {
      const { app, lines } = await logging({ database, level })
      await using _ = app
      await app.ask('POST', '/v1/conversations', { nope: 1 })
      expect(lines().map(({ event }) => event)).toEqual([...expected])
      if (level === 'debug')
        expect(lines()[0]).toMatchObject({ code: 'field-unknown', status: 422 })
    }
  })
})
