/** The log lines of failed and slow frames, and of failed background work, on a real Postgres. */
import { describe, expect, test } from 'bun:test'
import { LiveClient } from '../../support/live/live.ts'
import { onEveryMessage } from '../../support/meddling.ts'
import { testApp } from '../../support/servers/app.ts'
import { freshPostgres } from '../../support/servers/databases.ts'
import { until } from '../../support/servers/processes.ts'

const linesOf = ({ log }: { log: readonly string[] }): Readonly<Record<string, unknown>>[] =>
  log.map((line) => JSON.parse(line))

const turn = { assistant: { responses: ['Said by somebody'] } }

describe('a refused frame', () => {
  test('a frame that the service fails to serve is logged with the request id of its problem', async () => {
    await using database = await freshPostgres()
    await using app = await testApp({ database })
    const server = app.listen({ host: '127.0.0.1', port: 0 })
    const c = String((await app.ask('POST', '/v1/conversations', {})).body.id)
    await onEveryMessage(database, `RAISE EXCEPTION 'no room' USING ERRCODE = '53100'`)
    const client = new LiveClient(server)
    await client.until('welcome')
    client.send({ t: 'record', id: '1', c, key: 'k', turn })
    const problem = await client.until('problem')
    expect(problem).toMatchObject({ id: '1', c, status: 503 })
    expect(linesOf(app)).toEqual([
      expect.objectContaining({
        level: 'error',
        event: 'request-unserved',
        code: problem.code,
        status: 503,
        route: '/v1/live record',
        requestId: problem.requestId,
        conversationId: c,
        sqlState: '53100',
      }),
    ])
    expect(app.log.join()).not.toContain('Said by')
    client.close()
    await server.stop(1000)
  }, 20_000)

  test('a frame that is refused for an error of its sender is not logged', async () => {
    await using app = await testApp()
    const server = app.listen({ host: '127.0.0.1', port: 0 })
    const client = new LiveClient(server)
    await client.until('welcome')
    client.send({ t: 'record', id: '1', c: crypto.randomUUID(), key: 'k', turn })
    expect((await client.until('problem')).requestId).toBeUndefined()
    expect(linesOf(app)).toEqual([])
    client.close()
    await server.stop(1000)
  }, 20_000)
})

test('a slow frame is logged with its time', async () => {
  await using database = await freshPostgres()
  await using app = await testApp({ database, overrides: { server: { slowRequestMs: 200 } } })
  const server = app.listen({ host: '127.0.0.1', port: 0 })
  const c = String((await app.ask('POST', '/v1/conversations', {})).body.id)
  await onEveryMessage(database, 'PERFORM pg_sleep(0.3)')
  const client = new LiveClient(server)
  await client.until('welcome')
  client.send({ t: 'record', id: '1', c, key: 'k', turn })
  await client.until('recorded')
  await until('the slow frame is logged', () =>
    linesOf(app).some(({ event }) => event === 'request-slow'),
  )
  const slow = linesOf(app).find(({ route }) => route === '/v1/live record')
  expect(slow).toMatchObject({ level: 'warn', event: 'request-slow', conversationId: c })
  expect(Number(slow?.['ms'])).toBeGreaterThan(200)
  client.close()
  await server.stop(1000)
}, 20_000)

describe('background work', () => {
  test('each kind of failing background work is logged, once for many failures', async () => {
    await using database = await freshPostgres()
    await using app = await testApp({ database, overrides: { live: { silentPollMs: 50 } } })
    const server = app.listen({ host: '127.0.0.1', port: 0 })
    const c = String((await app.ask('POST', '/v1/conversations', {})).body.id)
    const client = new LiveClient(server, `?conversation=${c}`)
    await client.until('live')
    // Without its schema, the poll, the lapses and the erasures all fail.
    await database.query({ text: 'ALTER SCHEMA public RENAME TO elsewhere', params: [] })
    const failed = () =>
      linesOf(app).flatMap(({ event, work }) => (event === 'work-failed' ? [String(work)] : []))
    const works = ['cache-erasures', 'lapses', 'live-poll']
    await until(
      'all failures are logged',
      () => works.every((work) => failed().includes(work)),
      20_000,
    )
    expect(failed().toSorted()).toEqual(works)
    expect(linesOf(app).find(({ work }) => work === 'lapses')).toMatchObject({
      level: 'warn',
      sqlState: '42P01',
      reason: expect.stringContaining('SQLSTATE 42P01'),
    })
    await database.query({ text: 'ALTER SCHEMA elsewhere RENAME TO public', params: [] })
    client.close()
    await server.stop(1000)
  }, 40_000)
})
