/** The OpenAPI document, and the page that shows it. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { validate } from '@readme/openapi-parser'
import packageJson from '../../../package.json'
import { Decoder } from '../../../src/conversation/wire/decode.ts'
import { problemCodes } from '../../../src/problem.ts'
import {
  type Document,
  documentOf,
  schemaErrors,
  type TestApp,
  testApp,
} from '../../support/servers/app.ts'

let app: TestApp
let document: Document
beforeAll(async () => {
  app = await testApp()
  document = await documentOf(app)
})
afterAll(() => app[Symbol.asyncDispose]())

type Operation = {
  operationId: string
  tags: string[]
  summary: string
  parameters: {
    in: string
    name: string
    description: string
    required: boolean
    schema: object
    example?: unknown
  }[]
  requestBody?: {
    content: Record<string, { schema: object; examples: Record<string, { value: unknown }> }>
  }
  responses: Record<
    string,
    {
      description: string
      content?: Record<
        string,
        { schema: object; example?: unknown; examples?: Record<string, { value?: unknown }> }
      >
    }
  >
}

const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      // The type of the document in test/support is as narrow as its own use of it.
      operation: operation as unknown as Operation,
    })),
  )

describe('the OpenAPI document', () => {
  test('the OpenAPI document is valid OpenAPI 3.1 with the version of the package', async () => {
    expect(document.openapi).toMatch(/^3\.1\./)
    expect(document.info).toMatchObject({ title: 'Turnlog', version: packageJson.version })
    expect(await validate(structuredClone(document) as never)).toEqual({
      valid: true,
      warnings: [],
      specification: 'OpenAPI',
    })
  })

  test('the OpenAPI document describes every route of the API and no other', () => {
    expect(
      operations()
        .map(({ name }) => name)
        .sort(),
    ).toEqual([
      'DELETE /v1/conversations/{id}',
      'GET /healthz',
      'GET /readyz',
      'GET /v1/conversations',
      'GET /v1/conversations/{id}',
      'GET /v1/conversations/{id}/changes',
      'GET /v1/conversations/{id}/history',
      'GET /v1/conversations/{id}/messages',
      'GET /v1/conversations/{id}/segments',
      'GET /v1/conversations/{id}/segments/{sid}',
      'GET /v1/conversations/{id}/voice-sessions',
      'GET /v1/conversations/{id}/voice-sessions/{vid}',
      'PATCH /v1/conversations/{id}',
      'POST /v1/conversations',
      'POST /v1/conversations/{id}/messages/{mid}/interrupt',
      'POST /v1/conversations/{id}/segments',
      'POST /v1/conversations/{id}/turns',
      'POST /v1/conversations/{id}/turns/complete',
      'POST /v1/conversations/{id}/turns/open',
      'POST /v1/conversations/{id}/voice-sessions',
      'POST /v1/conversations/{id}/voice-sessions/{vid}/end',
      'PUT /v1/conversations/{id}/messages/{mid}/tts',
      'PUT /v1/conversations/{id}/tts',
    ])
  })

  test('every named schema is defined once and used by reference', () => {
    const names = Object.keys(document.components.schemas)
    for (const name of ['Conversation', 'Message', 'NewTurn', 'Segment', 'Change', 'Problem'])
      expect(names).toContain(name)
    const text = JSON.stringify(document)
    for (const name of names.filter((each) => each !== 'Change'))
      expect(text).toContain(`"#/components/schemas/${name}"`)
    // Only NewTurn, Message and LangchainMessage define this field: a copied Message would define
    // it again.
    expect(text.split('"memoryRetrievalTrace":{"type"')).toHaveLength(4)
    expect(text).not.toMatch(/turnlog-time|http-url|patternProperties/)
  })

  test('every operation has an id, a tag, a summary and descriptions of its parameters', () => {
    const ids = operations().map(({ operation }) => operation.operationId)
    expect(new Set(ids).size).toBe(ids.length)
    for (const { name, operation } of operations()) {
      expect([name, operation.tags.length, operation.summary.length > 5]).toEqual([name, 1, true])
      for (const parameter of operation.parameters) {
        expect(parameter.description.length).toBeGreaterThan(10)
        if (parameter.in === 'path')
          expect(schemaErrors(document, parameter.schema, parameter.example)).toEqual([])
        // Swagger UI sends every example that it finds.
        else if (!parameter.required) expect(parameter).not.toHaveProperty('example')
      }
    }
    const headers = operations().flatMap(({ operation }) =>
      operation.parameters.filter((each) => each.in === 'header').map((each) => each.name),
    )
    expect(headers).toContain('Idempotency-Key')
    expect(headers).toContain('If-Match')
  })

  test('every request and every answer has an example that fits its schema', () => {
    for (const { name, operation } of operations()) {
      const requests = Object.values(operation.requestBody?.content ?? {})
      for (const { schema, examples } of requests)
        for (const { value } of Object.values(examples))
          expect([name, schemaErrors(document, schema, value)]).toEqual([name, []])
      for (const [status, { content = {} }] of Object.entries(operation.responses)) {
        expect([name, status, Object.keys(content).length]).toEqual([
          name,
          status,
          status === '204' ? 0 : 1,
        ])
        const { schema, example, examples } = content['application/json'] ?? {}
        const values = Object.values(examples ?? { example: { value: example } })
        for (const { value } of schema === undefined ? [] : values)
          expect([name, status, schemaErrors(document, schema ?? {}, value)]).toEqual([
            name,
            status,
            [],
          ])
      }
    }
  })

  test('the decoder accepts every example of a request', () => {
    const limits = {
      partsMax: 64,
      traceBytesMax: 65536,
      metadataBytesMax: 16384,
      jsonDepthMax: 32,
      urlsMax: 64,
      aheadSecondsMax: 10 ** 9,
    }
    const decoder = new Decoder(limits)
    const decoders: Record<string, (body: unknown) => unknown> = {
      createConversation: (body) => decoder.conversation(body),
      patchConversation: (body) => decoder.conversationPatch(body),
      recordTurn: (body) => decoder.turn(body),
      createSegment: (body) => decoder.segment(body),
      attachTts: (body) => decoder.attach(body),
      attachTtsToLatest: (body) =>
        typeof body === 'object' && body !== null && 'key' in body
          ? decoder.attachByKey(body)
          : decoder.attach(body),
      openTurn: (body) => decoder.openTurn(body),
      completeTurn: (body) => decoder.halves(body),
      interrupt: (body) => decoder.interruption(body),
      startVoiceSession: (body) => decoder.voiceSession(body),
    }
    for (const { operation } of operations()) {
      const examples = Object.values(operation.requestBody?.content ?? {}).flatMap((each) =>
        Object.values(each.examples),
      )
      for (const { value } of examples)
        expect(() => decoders[operation.operationId]?.(value)).not.toThrow()
      if (examples.length > 0) expect(decoders).toHaveProperty(operation.operationId)
    }
  })

  test('the OpenAPI document describes every problem with its page and an example', () => {
    const { Problem = {} } = document.components.schemas as Record<
      string,
      { properties?: { code: { enum: string[]; description: string } } }
    >
    expect(Problem.properties?.code.enum).toEqual(problemCodes)
    for (const code of problemCodes) {
      expect(Problem.properties?.code.description).toContain(`/problems/${code}`)
      const example = document.components.examples[code] as { value: unknown }
      expect(
        schemaErrors(document, { $ref: '#/components/schemas/Problem' }, example.value),
      ).toEqual([])
    }
    const described = operations().flatMap(({ operation }) =>
      Object.values(operation.responses).flatMap(({ content = {} }) =>
        Object.keys(content['application/problem+json']?.examples ?? {}),
      ),
    )
    // No operation answers with these: two belong to unknown paths and methods, the AsyncAPI
    // document has those of sockets, and the client raises the last six itself.
    const undescribed = problemCodes.filter((code) => !described.includes(code))
    expect(undescribed).toEqual([
      'frame-invalid',
      'frame-too-large',
      'protocol-unsupported',
      'upgrade-required',
      'frame-unknown',
      'subscriptions-too-many',
      'route-not-found',
      'method-not-allowed',
      'draining',
      'input-not-json',
      'service-unreachable',
      'answer-unusable',
      'connection-refused',
      'journal-full',
      'journal-failed',
    ])
  })

  test('the schemas of the OpenAPI document reject a wrong value', () => {
    const message = { $ref: '#/components/schemas/MessagePage' }
    const page = { hasMore: false, version: 1, cursor: 'c', messages: [{ seq: 0 }] }
    expect(schemaErrors(document, message, page).length).toBeGreaterThan(0)
    expect(schemaErrors(document, message, { ...page, messages: [] })).toEqual([])
  })
})

describe('GET /swagger', () => {
  test('the Swagger page loads the document and its files from this service only', async () => {
    const { status, headers, text } = await app.ask('GET', '/swagger')
    expect(status).toBe(200)
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(text).not.toMatch(/https?:|\/\/[a-z]/)
    const assets = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = '']) => path)
    expect(assets).toHaveLength(4)
    for (const path of assets) {
      const asset = await app.ask('GET', path)
      expect([path, asset.status]).toEqual([path, 200])
      expect(asset.headers.get('content-type')).toMatch(/^(text\/(css|javascript)|image\/png)/)
    }
    const start = await app.ask('GET', '/swagger/assets/start.js')
    expect(start.text).toContain('"url":"/swagger/json"')
    expect(start.text).toContain('"validatorUrl":"none"')
  })

  test('no other file of the Swagger package is served', async () => {
    for (const file of [
      'index.html',
      'package.json',
      'swagger-ui-bundle.js.map',
      '..%2fpackage.json',
      '%2e%2e/package.json',
      '..%5cpackage.json',
      '%00',
      '__proto__',
      'constructor',
      '/etc/passwd',
    ])
      expect((await app.ask('GET', `/swagger/assets/${file}`)).status).toBe(404)
  })
})
