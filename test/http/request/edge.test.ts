/** The edge: the behaviour that every request shares, whatever its route or outcome. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Database } from '../../../src/ports/database.ts'
import { problemCodes, problems } from '../../../src/problem.ts'
import { type TestApp, testApp } from '../../support/servers/app.ts'
import { freshPostgres } from '../../support/servers/databases.ts'

let app: TestApp
beforeAll(async () => {
  app = await testApp()
})
afterAll(() => app[Symbol.asyncDispose]())

const id = '0199c3a4-7d1e-7b52-9f10-3c6d2a9b4e01'

/** Paths of the service, each with its methods. */
const methods: Record<string, string[]> = {
  '/v1/conversations': ['GET', 'POST'],
  [`/v1/conversations/${id}`]: ['DELETE', 'GET', 'PATCH'],
  [`/v1/conversations/${id}/turns`]: ['POST'],
  [`/v1/conversations/${id}/messages`]: ['GET'],
  [`/v1/conversations/${id}/history`]: ['GET'],
  [`/v1/conversations/${id}/changes`]: ['GET'],
  [`/v1/conversations/${id}/segments`]: ['GET', 'POST'],
  [`/v1/conversations/${id}/segments/${id}`]: ['GET'],
  [`/v1/conversations/${id}/messages/${id}/tts`]: ['PUT'],
  [`/v1/conversations/${id}/tts`]: ['PUT'],
  '/healthz': ['GET'],
  '/readyz': ['GET'],
  '/problems': ['GET'],
  '/problems/internal': ['GET'],
  '/swagger': ['GET'],
  '/swagger/json': ['GET'],
  '/swagger/assets/swagger-ui.css': ['GET'],
  '/': ['GET'],
}

describe('a request without a route', () => {
  for (const path of [
    '/nope',
    '/v1',
    '/v1/conversation',
    '//v1/conversations',
    '/v1//conversations',
    '/V1/conversations',
    '/v1%2Fconversations',
    '/%',
    '/%ff',
    '/__proto__',
    '/swagger/assets/',
    `/v1/conversations/${id}/nope`,
    `/v1/conversations/${id}/messages/${id}`,
  ])
    test(`every method of the unknown path ${path} is answered 404`, async () => {
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
        const { status, body } = await app.ask(method, path)
        expect([status, body.code]).toEqual([404, 'route-not-found'])
      }
    })

  for (const [path, allowed] of Object.entries(methods))
    test(`a method that ${path} does not support is answered 405 with its methods in Allow`, async () => {
      const withHead = [...allowed, ...(allowed.includes('GET') ? ['HEAD'] : [])].sort()
      const others = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
      for (const method of others.filter((other) => !allowed.includes(other))) {
        const { status, body, headers } = await app.ask(method, path)
        expect([status, body.code]).toEqual([405, 'method-not-allowed'])
        expect(headers.get('allow')).toBe(withHead.join(', '))
      }
    })

  test('a slash at the end of a path, or a short host name, leads to the same route', async () => {
    expect((await app.ask('GET', '/v1/conversations/')).status).toBe(200)
    expect((await app.fetch(new Request('http://x/v1/conversations'))).status).toBe(200)
    expect((await app.ask('POST', '/healthz/')).status).toBe(405)
  })
})

describe('a HEAD request', () => {
  test('a HEAD is answered with the headers of a GET and without a body', async () => {
    const created = await app.ask('POST', '/v1/conversations', {})
    for (const path of [
      `/v1/conversations/${String(created.body.id)}`,
      '/readyz',
      '/swagger',
      '/problems',
    ]) {
      const get = await app.ask('GET', path)
      const head = await app.ask('HEAD', path)
      expect([head.status, head.text]).toEqual([get.status, ''])
      expect(head.headers.get('content-type')).toBe(get.headers.get('content-type'))
      expect(head.headers.get('etag')).toBe(get.headers.get('etag'))
      expect(head.headers.get('content-length')).toBe(String(Buffer.byteLength(get.text)))
    }
  })

  test('a HEAD that fails has the status of the same GET', async () => {
    expect((await app.ask('HEAD', '/nope')).status).toBe(404)
    expect((await app.ask('HEAD', `/v1/conversations/${id}`)).status).toBe(404)
    expect((await app.ask('HEAD', `/v1/conversations/${id}/turns`)).status).toBe(405)
  })
})

describe('the request id', () => {
  test('a request id of 1 to 128 visible ASCII characters is returned unchanged', async () => {
    for (const sent of ['a', 'abc-123', '!~', 'x'.repeat(128)]) {
      const { headers, body } = await app.ask('GET', '/nope', undefined, {
        'turnlog-request-id': sent,
      })
      expect(headers.get('turnlog-request-id')).toBe(sent)
      expect(body.requestId).toBe(sent)
    }
  })

  test('a request without a usable id gets a new UUID as its id', async () => {
    const ids = new Set<string | null>()
    for (const sent of ['', 'a b', 'x'.repeat(129), 'é']) {
      const { headers } = await app.ask('GET', '/healthz', undefined, {
        'turnlog-request-id': sent,
      })
      ids.add(headers.get('turnlog-request-id'))
    }
    ids.add((await app.ask('GET', '/healthz')).headers.get('turnlog-request-id'))
    expect(ids.size).toBe(5)
    for (const each of ids) expect(each).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/)
  })
})

describe('a fault of the service', () => {
  test('a fault of the service is a 500 whose reason is in the log only', async () => {
    await using database = await freshPostgres()
    const faulty: Database = {
      ...database,
      async query(statement, options) {
        if (statement.text.includes('conversation_messages')) throw new TypeError(statement.text)
        return await database.query(statement, options)
      },
    }
    await using broken = await testApp({ database: faulty })
    const { body: created } = await broken.ask('POST', '/v1/conversations', {})
    const path = `/v1/conversations/${String(created.id)}/messages`
    const { status, body, text } = await broken.ask('GET', `${path}?limit=1`, undefined, {
      'turnlog-request-id': 'fault-1',
    })
    expect([status, body.code, body.retryable]).toEqual([500, 'internal', true])
    expect(text).not.toContain('conversation_messages')
    const events = broken.log.map((line) => JSON.parse(line))
    expect(events).toEqual([
      expect.objectContaining({
        event: 'request-failed',
        requestId: 'fault-1',
        route: `GET ${path}`,
      }),
    ])
    expect(broken.log[0]).toContain('conversation_messages')
  })
})

describe('the page of a problem', () => {
  for (const code of problemCodes)
    test(`/problems/${code} explains the problem as HTML and as JSON`, async () => {
      const { status, body } = await app.ask('GET', `/problems/${code}`)
      expect(status).toBe(200)
      expect(body).toEqual({ type: `/problems/${code}`, code, ...problems[code] })
      const page = await app.ask('GET', `/problems/${code}`, undefined, {
        accept: 'text/html,application/xhtml+xml,*/*;q=0.8',
      })
      expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
      expect(page.text).toContain(`<code>${code}</code>`)
      // The page loads nothing from another server.
      expect(page.text).not.toMatch(/src=|https?:\/\//)
    })

  test('/problems lists every problem code', async () => {
    const { body } = await app.ask('GET', '/problems')
    expect(body.problems).toHaveLength(problemCodes.length)
    const { text } = await app.ask('GET', '/problems', undefined, { accept: 'text/html' })
    for (const code of problemCodes) expect(text).toContain(`href="/problems/${code}"`)
  })

  test('the page of an unknown problem code is a 404', async () => {
    for (const code of ['nope', '__proto__', 'constructor', '%00', '%zz'])
      expect((await app.ask('GET', `/problems/${code}`)).status).toBe(404)
  })
})

test('GET / lists the paths of the service, and each of them answers', async () => {
  const { body } = await app.ask('GET', '/')
  const { name, version, ...links } = body
  expect([name, typeof version]).toEqual(['turnlog', 'string'])
  for (const link of Object.values(links))
    expect((await app.ask('GET', String(link))).status).toBe(200)
})
