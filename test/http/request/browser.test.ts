/** Pages in a real browser: pages that may use the service, and pages that attack it. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import type { ConfigOverrides } from '../../../src/config.ts'
import { type TestApp, testApp } from '../../support/servers/app.ts'
import { browserMissing, openPage } from '../../support/servers/browser.ts'
import { until } from '../../support/servers/processes.ts'

const missing = browserMissing()
const inBrowser = test.skipIf(missing !== undefined)
const skipNote = missing === undefined ? '' : ` (left out: ${missing})`

const root = join(import.meta.dir, '../../..')
const conversations = '/v1/conversations'
const loopback = { host: '127.0.0.1', port: 0 }

let app: TestApp
beforeAll(async () => {
  app = await testApp()
}, 60_000)
afterAll(() => app[Symbol.asyncDispose]())

const create = async (to: TestApp) => String((await to.ask('POST', conversations, {})).body['id'])

/** A server of a page with this script, and of the client as `/client.js`. */
async function pageServer(script: string) {
  const built = await Bun.build({
    entrypoints: [join(root, 'src/client/client.ts')],
    target: 'browser',
  })
  const client = await built.outputs[0]?.text()
  const html = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script type="module">
const report = (value) => console.log('report ' + JSON.stringify(value))
const attempt = (work) => Promise.resolve().then(work).catch((error) => error.name)
const opened = (url) => new Promise((resolve) => {
  const socket = new WebSocket(url)
  socket.onopen = () => resolve('open')
  socket.onerror = () => resolve('refused')
})
${script}
</script>`
  return Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: (request) =>
      new URL(request.url).pathname === '/client.js'
        ? new Response(client ?? '', { headers: { 'content-type': 'text/javascript' } })
        : new Response(html, { headers: { 'content-type': 'text/html' } }),
  })
}

/** The report number `count` of the page. */
async function reportOf(
  { lines }: { readonly lines: readonly string[] },
  count = 1,
): Promise<unknown> {
  const reports = () => lines.filter((line) => line.startsWith('report '))
  await until(`the page reports (${lines.join('; ')})`, () => reports().length >= count, 60_000)
  return JSON.parse((reports()[count - 1] ?? '').slice('report '.length))
}

describe(`in a browser${skipNote}`, () => {
  inBrowser(
    'a page of another port of localhost creates, records, reads, watches and erases',
    async () => {
      const server = app.listen(loopback)
      using pages = await pageServer(`
import { createClient, createConversationState } from './client.js'
const url = location.hash.slice(1)
const client = createClient({ url })
const { id } = await client.createConversation({ title: 'from a page' })
const turn = (text) => ({ user: { text }, assistant: { responses: [text + '!'] } })
const state = createConversationState()
const watching = (async () => {
  for await (const event of client.live(id, { tail: 10 })) {
    state.apply(event)
    if (state.messages.length === 4) return state.messages.map(({ content }) => content)
  }
})()
await client.recordTurn(id, turn('over REST'))
await client.record(id, turn('over the socket'))
const watched = await watching
const at = url + '/v1/conversations/' + id
const sent = { 'content-type': 'application/json', 'if-match': '"99"', authorization: 'Bearer x', traceparent: '00-1', tracestate: 'a=b', 'turnlog-request-id': 'from-a-page' }
const patch = await fetch(at, { method: 'PATCH', headers: sent, body: '{"title":"new"}' })
const got = await fetch(at, { headers: { 'turnlog-request-id': 'read' } })
const history = await fetch(at + '/history')
const nowhere = await fetch(url + '/nowhere', { method: 'DELETE' })
const { erasedAt } = await client.eraseConversation(id)
report({
  watched,
  patch: (await patch.json()).code,
  requestId: patch.headers.get('turnlog-request-id'),
  etag: got.headers.get('etag'),
  hidden: ['turnlog-source', 'turnlog-version'].filter((name) => !history.headers.has(name)),
  nowhere: (await nowhere.json()).code,
  isErased: typeof erasedAt,
})
await client.close()`)
      await using page = openPage(`http://localhost:${pages.port}/#${server.url}`)
      expect(await reportOf(page)).toEqual({
        watched: ['over REST', 'over REST!', 'over the socket', 'over the socket!'],
        patch: 'version-mismatch',
        requestId: 'from-a-page',
        etag: '"3"',
        hidden: [],
        nowhere: 'route-not-found',
        isErased: 'string',
      })
      await server.stop(1000)
    },
    90_000,
  )

  inBrowser(
    'a page of another site can neither read, write, send a form nor connect',
    async () => {
      const server = app.listen(loopback)
      const conversationId = await create(app)
      using pages = await pageServer(`
const url = location.hash.slice(1)
const at = url + '/v1/conversations/${conversationId}'
const form = 'application/x-www-form-urlencoded'
const status = async (...args) => (await fetch(...args)).status
report({
  read: await attempt(() => status(at)),
  write: await attempt(() => status(at + '/turns', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })),
  erase: await attempt(() => status(at, { method: 'DELETE' })),
  // The browser sends a form without a preflight, and the page cannot read the answer. The test
  // checks below what it did.
  form: await attempt(() => status(at + '/segments', { method: 'POST', mode: 'no-cors', headers: { 'content-type': form } })),
  empty: await attempt(() => status(at + '/segments', { method: 'POST', mode: 'no-cors' })),
  socket: await opened(url.replace('http', 'ws') + '/v1/live'),
})`)
      const where = `http://evil.example:${pages.port}/#${server.url}`
      await using page = openPage(where, { 'evil.example': '127.0.0.1' })
      expect(await reportOf(page)).toEqual({
        read: 'TypeError',
        write: 'TypeError',
        erase: 'TypeError',
        form: 0,
        empty: 0,
        socket: 'refused',
      })
      expect(
        (await app.ask('GET', `${conversations}/${conversationId}/segments`)).body['segments'],
      ).toEqual([])
      expect(app.log.join()).toContain('"origin":"http://evil.example')
      await server.stop(1000)
    },
    90_000,
  )

  /**
   * Loads the page, then starts the service at the page's own host name and port (DNS rebinding).
   */
  async function repointed(overrides: ConfigOverrides): Promise<unknown> {
    await using own = await testApp({ overrides })
    const conversationId = await create(own)
    const pages = await pageServer(`
report('loaded')
const is = async (path) => (await fetch(path)).headers.get('content-type') === 'application/json'
while (!(await is('/healthz').catch(() => false))) await new Promise((resolve) => setTimeout(resolve, 20))
const outcome = async (method, path) => {
  const answer = await fetch(path, { method })
  return answer.ok ? answer.status : (await answer.json()).code
}
const at = '/v1/conversations'
report({
  list: await outcome('GET', at),
  history: await outcome('GET', at + '/${conversationId}/history'),
  socket: await opened('ws://' + location.host + '/v1/live'),
  erase: await outcome('DELETE', at + '/${conversationId}'),
})`)
    const { port = 0 } = pages
    await using page = openPage(`http://evil.example:${port}/`, { 'evil.example': '127.0.0.1' })
    expect(await reportOf(page)).toBe('loaded')
    await pages.stop(true)
    const server = own.listen({ host: '127.0.0.1', port })
    const report = await reportOf(page, 2)
    await server.stop(1000)
    return report
  }

  inBrowser(
    'a page whose name is pointed at the service can neither list, read, erase nor connect',
    async () => {
      const refused = 'host-refused'
      expect(await repointed({})).toEqual({
        list: refused,
        history: refused,
        socket: 'refused',
        erase: refused,
      })
    },
    90_000,
  )

  inBrowser(
    'a page whose name is pointed at the service can do everything if the name is allowed',
    async () => {
      expect(await repointed({ server: { allowedHosts: 'evil.example' } })).toEqual({
        list: 200,
        history: 200,
        socket: 'open',
        erase: 200,
      })
    },
    90_000,
  )
})
