/** Whether the service lives and can do its work, and what it says while it cannot. */
import { describe, expect, test } from 'bun:test'
import { tmpdir } from 'node:os'
import { usableNow } from '../../../src/mechanics/loop-delay.ts'
import { testApp } from '../../support/servers/app.ts'
import { freshPglite } from '../../support/servers/databases.ts'
import { startPostgres } from '../../support/servers/postgres.ts'
import { until } from '../../support/servers/processes.ts'

const turn = { user: { text: 'Hello' }, assistant: { responses: ['Hi'] } }

describe('health', () => {
  test('is ready, with each dependency by its name', async () => {
    await using app = await testApp()
    expect((await app.ask('GET', '/healthz')).body).toEqual({ status: 'ok' })
    const { status, body, headers } = await app.ask('GET', '/readyz')
    expect([status, headers.get('cache-control')]).toEqual([200, 'no-store'])
    expect(body).toEqual({
      status: 'ready',
      dependencies: {
        database: { name: app.databaseName, status: 'up' },
        cache: { name: 'memory', status: 'up' },
      },
    })
    expect(app.databaseName).toContain('127.0.0.1')
  })

  test('shows no path of this machine where the database is embedded', async () => {
    const database = await freshPglite()
    await using app = await testApp({ database })
    await using _ = database
    const { status, body, text } = await app.ask('GET', '/readyz')
    expect(status).toBe(200)
    expect(body).toMatchObject({ dependencies: { database: { name: 'embedded Postgres' } } })
    expect(text).not.toContain(tmpdir())
    expect(app.databaseName).toContain(tmpdir())
  }, 120_000)

  test('is degraded without its Redis, which is no reason to send it no requests', async () => {
    await using app = await testApp({ overrides: { cache: { url: 'redis://127.0.0.1:1/0' } } })
    const { status, body } = await app.ask('GET', '/readyz')
    expect(status).toBe(200)
    expect(body).toMatchObject({
      status: 'degraded',
      dependencies: {
        database: { status: 'up' },
        cache: { name: 'Redis at 127.0.0.1:1/0', status: 'down' },
      },
    })
    expect((await app.ask('POST', '/v1/conversations', {})).status).toBe(201)
  })

  test('is draining before a stop, and requests are answered all the same', async () => {
    await using app = await testApp()
    app.drain()
    const { status, body } = await app.ask('GET', '/readyz')
    expect([status, body.status]).toEqual([503, 'draining'])
    expect((await app.ask('GET', '/healthz')).status).toBe(200)
    expect((await app.ask('POST', '/v1/conversations', {})).status).toBe(201)
  })

  test('is unavailable while the database is away, and ready again by itself', async () => {
    await using server = await startPostgres()
    await using app = await testApp({
      overrides: {
        database: {
          url: server.url,
          connectTimeoutMs: 500,
          deadlineMs: 1000,
          lockTimeoutMs: 500,
        },
      },
    })
    const { body: created } = await app.ask('POST', '/v1/conversations', {})
    const path = `/v1/conversations/${String(created.id)}`
    await server.stop()

    const ready = await app.ask('GET', '/readyz')
    expect(ready.status).toBe(503)
    expect(ready.headers.get('content-type')).toBe('application/json')
    expect(ready.body).toMatchObject({
      status: 'unavailable',
      dependencies: { database: { status: 'down' } },
    })
    expect((await app.ask('GET', '/healthz')).status).toBe(200)
    for (const [method, rest, body] of [
      ['GET', '', undefined],
      ['GET', '/history', undefined],
      ['POST', '/turns', turn],
      ['PATCH', '', { title: 'a' }],
      ['PUT', '/tts', { ttsAudioUrls: ['https://a.example/1'] }],
      ['DELETE', '', undefined],
    ] as const) {
      const answer = await app.ask(method, `${path}${rest}`, body)
      expect([answer.status, answer.body.code]).toEqual([503, 'database-unavailable'])
      expect(answer.body.retryable).toBe(true)
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    }
    // A bad request is told so even now.
    expect((await app.ask('POST', `${path}/turns`, {})).status).toBe(422)

    await server.restart()
    await until(
      'the service is ready',
      async () => (await app.ask('GET', '/readyz')).status === 200,
    )
    expect((await app.ask('POST', `${path}/turns`, turn)).status).toBe(201)
  }, 30_000)

  test('answers soon while the database hangs', async () => {
    await using server = await startPostgres()
    await using app = await testApp({ overrides: { database: { url: server.url } } })
    server.freeze()
    const asked = usableNow()
    const { status, body } = await app.ask('GET', '/readyz')
    expect([status, body.status]).toEqual([503, 'unavailable'])
    // The check gives up after a second, and not after the deadline of a statement.
    expect(usableNow() - asked).toBeLessThan(3000)
    server.thaw()
  }, 30_000)
})
