/** The examples of the OpenAPI document, sent as they are: each makes what the next one names. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type Document, documentOf, type TestApp, testApp } from '../../support/servers/app.ts'

let app: TestApp
let document: Document
beforeAll(async () => {
  app = await testApp()
  document = await documentOf(app)
})
afterAll(() => app[Symbol.asyncDispose]())

type Operation = {
  parameters: { in: string; name: string; example?: string }[]
  requestBody?: { content: Record<string, { examples: Record<string, { value: unknown }> }> }
}

/** Sends an operation as Swagger's "Try it out" does: the examples of its parameters, and its first body. */
async function send(method: string, path: string) {
  const operation = document.paths[path]?.[method.toLowerCase()] as unknown as Operation
  const headers: Record<string, string> = {}
  let url = path
  for (const { in: where, name, example } of operation.parameters) {
    if (example === undefined) continue
    if (where === 'path') url = url.replace(`{${name}}`, example)
    if (where === 'header') headers[name] = example
  }
  const [content] = Object.entries(operation.requestBody?.content ?? {})
  const body = content === undefined ? undefined : Object.values(content[1].examples)[0]?.value
  const mediaType = content === undefined ? {} : { 'content-type': content[0] }
  return await app.ask(method, url, body, { ...headers, ...mediaType })
}

test('the examples, sent from top to bottom, form one conversation', async () => {
  const one = '/v1/conversations/{id}'
  const chain: [method: string, path: string, status: number][] = [
    ['POST', '/v1/conversations', 201],
    ['POST', '/v1/conversations', 200],
    ['GET', one, 200],
    ['PATCH', one, 200],
    ['POST', `${one}/turns`, 201],
    ['PUT', `${one}/messages/{mid}/tts`, 200],
    ['PUT', `${one}/tts`, 200],
    ['GET', `${one}/messages`, 200],
    ['GET', `${one}/history`, 200],
    ['POST', `${one}/messages/{mid}/interrupt`, 200],
    ['POST', `${one}/turns/open`, 201],
    ['POST', `${one}/turns/complete`, 200],
    // The turn above named the session, which created it.
    ['POST', `${one}/voice-sessions`, 200],
    ['GET', `${one}/voice-sessions/{vid}`, 200],
    ['POST', `${one}/voice-sessions/{vid}/end`, 200],
    ['POST', `${one}/segments`, 201],
    ['GET', `${one}/segments/{sid}`, 200],
    ['DELETE', one, 200],
  ]
  const answered: typeof chain = []
  for (const [method, path] of chain) {
    const { status } = await send(method, path)
    answered.push([method, path, status])
  }
  expect(answered).toEqual(chain)
})

test('a browser gets a page at / with links that all answer, and other clients get JSON', async () => {
  const { text, headers } = await app.ask('GET', '/', undefined, { accept: 'text/html' })
  expect(headers.get('content-type')).toBe('text/html; charset=utf-8')
  expect(headers.get('content-security-policy')).toContain("default-src 'none'")
  expect(headers.get('vary')).toContain('Accept')
  expect(text).toContain('This service is <strong>ready</strong>')
  const links = [...text.matchAll(/href="([^"]+)"/g)].map(([, path = '']) => path)
  expect(links.length).toBeGreaterThan(4)
  for (const path of links) expect([path, (await app.ask('GET', path)).status]).toEqual([path, 200])
  expect((await app.ask('GET', '/')).body).toMatchObject({ name: 'turnlog', swagger: '/swagger' })
})
