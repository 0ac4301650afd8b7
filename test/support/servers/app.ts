/**
 * A real app on its own database. Each of its answers is checked against the OpenAPI document that
 * it serves: an answer that the document does not describe fails the test.
 */
import Schema from 'typebox/schema'
import { type App, type AppOverrides, createApp } from '../../../src/app.ts'
import { type ConfigOverrides, configWith } from '../../../src/config.ts'
import { createEvents } from '../../../src/events.ts'
import { testDatabaseUrl } from './postgres.ts'

export type Answer = {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The text parsed as JSON; an empty object if it is none. */
  readonly body: Readonly<Record<string, unknown>>
}

export type TestApp = App & {
  /** The log: one line of JSON for each event. */
  readonly log: string[]
  /** Sends a request. `body` is sent as JSON; a string is sent unchanged. */
  ask(method: string, path: string, body?: unknown, headers?: HeadersInit): Promise<Answer>
}

export type TestAppOptions = AppOverrides & { readonly overrides?: ConfigOverrides }

export async function testApp(options: TestAppOptions = {}): Promise<TestApp> {
  const { overrides = {}, ...rest } = options
  const url = rest.database === undefined ? await testDatabaseUrl() : undefined
  const config = configWith({
    ...overrides,
    // A machine that runs tests may be slow, and tests check every line of the log, also of slow
    // requests.
    server: { slowRequestMs: 0, ...overrides.server },
    database: { url, ...overrides.database },
  })
  const log: string[] = []
  const app = await createApp(config, { events: createEvents((line) => log.push(line)), ...rest })
  const contract = await contractOf(app)
  // Events of the start are not reported.
  log.length = 0
  return {
    ...app,
    log,
    async ask(method, path, body, headers = {}) {
      const sent = new Headers(headers)
      if (body !== undefined && !sent.has('content-type'))
        sent.set('content-type', 'application/json')
      const text = typeof body === 'string' || body === undefined ? body : JSON.stringify(body)
      // With a string, `fetch` would set a content type.
      const bytes = text === undefined ? {} : { body: new TextEncoder().encode(text) }
      const request = new Request(`http://turnlog.test${path}`, { method, headers: sent, ...bytes })
      const response = await app.fetch(request)
      const answered = await response.text()
      const answer: Answer = {
        status: response.status,
        headers: response.headers,
        text: answered,
        body: answered !== '' && isJson(response.headers) ? JSON.parse(answered) : {},
      }
      contract.check(method, path, answer)
      return answer
    },
  }
}

const isJson = (headers: Headers) => /\bjson\b/.test(headers.get('content-type') ?? '')

type Told = {
  responses: Record<
    string,
    {
      headers?: Record<string, unknown>
      content?: Record<string, { schema: object; examples?: Record<string, unknown> }>
    }
  >
}

export type Document = {
  openapi: string
  info: { title: string; version: string }
  paths: Record<string, Record<string, Told>>
  components: { schemas: Record<string, object>; examples: Record<string, unknown> }
}

export async function documentOf(app: Pick<App, 'fetch'>): Promise<Document> {
  const response = await app.fetch(new Request('http://turnlog.test/swagger/json'))
  return (await response.json()) as Document
}

/** The reasons why a value does not match this schema of the document; empty if it does. */
export function schemaErrors({ components }: Document, schema: object, value: unknown): string[] {
  const [, errors] = Schema.Errors({ ...schema, components }, value)
  return errors.map(({ instancePath, message }) => `${instancePath} ${message}`)
}

async function contractOf(app: App) {
  const document = await documentOf(app)
  const paths = Object.entries(document.paths).map(([path, operations]) => ({
    pattern: new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}/?$`),
    operations,
  }))
  return {
    check(method: string, path: string, { status, headers, body, text }: Answer): void {
      const fail = (what: string): never => {
        throw new Error(`${method} ${path} -> ${status}: ${what}\n${text}`)
      }
      if (headers.get('turnlog-request-id') === null) fail('has no request id')
      const [pathname = ''] = path.split('?')
      const type = headers.get('content-type')
      const operation = paths.find(({ pattern }) => pattern.test(pathname))?.operations[
        method === 'HEAD' ? 'get' : method.toLowerCase()
      ]
      if (status >= 400 && !pathname.startsWith('/readyz')) {
        if (type !== 'application/problem+json') fail(`is ${type} and no problem`)
        if (method === 'HEAD') return
        const errors = schemaErrors(document, document.components.schemas.Problem ?? {}, body)
        if (errors.length > 0) fail(errors.join('; '))
        if (body.requestId !== headers.get('turnlog-request-id')) fail('has two request ids')
        if (body.status !== status) fail('has two statuses')
      }
      if (operation === undefined) return
      const response = operation.responses[status] ?? fail('is not in the document')
      for (const name of ['location', 'etag', 'retry-after'])
        if (
          headers.has(name) &&
          !Object.keys(response.headers ?? {}).some((header) => header.toLowerCase() === name)
        )
          fail(`has the header ${name}, which the document does not tell of`)
      if (method === 'HEAD') return
      if (response.content === undefined) {
        if (text !== '') fail('has a body')
        return
      }
      const content = response.content[type ?? ''] ?? fail(`is ${type}, unlike the document`)
      const errors = schemaErrors(document, content.schema, body)
      if (errors.length > 0) fail(errors.join('; '))
      if (
        content.examples !== undefined &&
        status >= 400 &&
        !(String(body.code) in content.examples)
      )
        fail(`has the code ${String(body.code)}, which the document does not tell of`)
    },
  }
}
