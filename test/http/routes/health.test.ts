/** /healthz and /readyz, while the dependencies work, fail, hang or return. */
import { describe, expect, test } from 'bun:test'
import { tmpdir } from 'node:os'
import { usableNow } from '../../../src/mechanics/loop-delay.ts'
import { testApp } from '../../support/servers/app.ts'
import { freshPglite } from '../../support/servers/databases.ts'
import { startPostgres } from '../../support/servers/postgres.ts'
import { until } from '../../support/servers/processes.ts'

const turn = { user: { text: 'Hello' }, assistant: { responses: ['Hi'] } }

describe('/readyz', () => {
  test('/readyz of a healthy service is 200 with the name of each dependency', async () => {
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

  test('/readyz shows no path of the machine if the database is embedded', async () => {
    const database = await freshPglite()
    await using app = await testApp({ database })
    await using _ = database
    const { status, body, text } = await app.ask('GET', '/readyz')
    expect(status).toBe(200)
    expect(body).toMatchObject({ dependencies: { database: { name: 'embedded Postgres' } } })
    expect(text).not.toContain(tmpdir())
    expect(app.databaseName).toContain(tmpdir())
  }, 120_000)

  test('/readyz without Redis is 200 with the status degraded, and writes succeed', async () => {
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

  test('/readyz before a stop is 503 draining, while requests are still answered', async () => {
    await using app = await testApp()
    app.drain()
    const { status, body } = await app.ask('GET', '/readyz')
    expect([status, body.status]).toEqual([503, 'draining'])
    expect((await app.ask('GET', '/healthz')).status).toBe(200)
    expect((await app.ask('POST', '/v1/conversations', {})).status).toBe(201)
  })

  test('/readyz is 503 while the database is down, and 200 after it returns', async () => {
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
    // A bad request is refused as such even while the database is down.
    expect((await app.ask('POST', `${path}/turns`, {})).status).toBe(422)

    await server.restart()
    await until(
      'the service is ready',
      async () => (await app.ask('GET', '/readyz')).status === 200,
    )
    expect((await app.ask('POST', `${path}/turns`, turn)).status).toBe(201)
  }, 30_000)

  test('/readyz answers 503 within three seconds while the database hangs', async () => {
    await using server = await startPostgres()
    await using app = await testApp({ overrides: { database: { url: server.url } } })
    server.freeze()
    const askedAt = usableNow()
    const { status, body } = await app.ask('GET', '/readyz')
    expect([status, body.status]).toEqual([503, 'unavailable'])
    // The check gives up after one second, long before the deadline of a statement.
    expect(usableNow() - askedAt).toBeLessThan(3000)
    server.thaw()
  }, 30_000)
})
