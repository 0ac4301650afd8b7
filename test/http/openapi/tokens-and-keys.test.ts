/** The problems of wrong page tokens, cursors, external ids, idempotency keys and preconditions. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { encodeCursor } from '../../../src/conversation/wire/ids.ts'
import { appWithPages, refusalOf } from '../../support/servers/answers.ts'
import type { TestApp } from '../../support/servers/app.ts'

let app: TestApp

let id: string

let base: string

const refused = (path: string, headers?: HeadersInit) => refusalOf(app, path, headers)

beforeAll(async () => {
  ;({ app, id, base } = await appWithPages())
})

afterAll(() => app[Symbol.asyncDispose]())

describe('a page token or a cursor', () => {
  test('a page token of another list, or a forged one, is refused with page-invalid', async () => {
    const forged = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    for (const list of ['/v1/conversations', `${base}/segments`])
      for (const token of [
        'x',
        '%20',
        forged([]),
        forged({}),
        forged(['conversations']),
        forged(['conversations', '\0', '\0']),
        forged(['segments', "'", "'"]),
        forged(['conversations', 'infinity', id]),
      ]) {
        const { status, body } = await app.ask('GET', `${list}?page=${token}`)
        expect([token, status, body.code]).toEqual([token, 422, 'page-invalid'])
      }
  })

  test('a cursor of another conversation is cursor-invalid, and a newer one than the head is cursor-ahead', async () => {
    const other = encodeCursor('0199c3a4-7d1e-7b52-9f10-3c6d2a9b4e01', 1)
    const names = [
      ['messages', 'minCursor'],
      ['history', 'minCursor'],
      ['changes', 'since'],
    ] as const
    for (const [path, name] of names) {
      for (const cursor of ['x', other, `${encodeCursor(id, 1)}x`]) {
        const { status, body } = await app.ask('GET', `${base}/${path}?${name}=${cursor}`)
        expect([status, body.code]).toEqual([422, 'cursor-invalid'])
      }
      const ahead = await app.ask('GET', `${base}/${path}?${name}=${encodeCursor(id, 1000)}`)
      expect([ahead.status, ahead.body.code]).toEqual([409, 'cursor-ahead'])
      const { status } = await app.ask('GET', `${base}/${path}?${name}=${encodeCursor(id, 2)}`)
      expect(status).toBe(200)
    }
  })
})

describe('an external id', () => {
  test('an external id of any characters finds its conversation', async () => {
    for (const externalId of ['a', 'a b+c&d=e', 'ü/é', '\u{1f600}'.repeat(255), '%00']) {
      const { body } = await app.ask('POST', '/v1/conversations', { externalId })
      const found = await app.ask(
        'GET',
        `/v1/conversations?externalId=${encodeURIComponent(externalId)}`,
      )
      expect(found.body.conversations).toEqual([body])
    }
    expect(
      (await app.ask('GET', '/v1/conversations?externalId=nobody')).body.conversations,
    ).toEqual([])
  })

  test('an external id with NUL is refused with text-invalid', async () => {
    expect(await refused('/v1/conversations?externalId=a%00')).toEqual([
      'text-invalid',
      'query /externalId',
    ])
  })
})

describe('an idempotency key', () => {
  const turn = { assistant: { responses: ['x'] } }

  test('an idempotency key must be 1 to 255 visible ASCII characters', async () => {
    for (const key of ['k', '!~"', 'x'.repeat(255)]) {
      const { status } = await app.ask('POST', `${base}/turns`, turn, { 'idempotency-key': key })
      expect(status).toBe(201)
    }
    const before = (await app.ask('GET', base)).body.version
    for (const key of ['', 'a b', 'x'.repeat(256), 'é', '\t\x7f']) {
      const answer = await app.ask('POST', `${base}/turns`, turn, { 'idempotency-key': key })
      expect([answer.status, answer.body.code]).toEqual([422, 'idempotency-key-invalid'])
      expect(answer.body.errors).toMatchObject([{ in: 'header', pointer: '/Idempotency-Key' }])
    }
    const two = new Headers([
      ['idempotency-key', 'a'],
      ['idempotency-key', 'b'],
    ])
    expect(
      (await app.ask('POST', `${base}/turns`, turn, [...two, ['content-type', 'application/json']]))
        .status,
    ).toBe(422)
    expect((await app.ask('GET', base)).body.version).toBe(before)
  })
})

describe('If-Match', () => {
  const patch = (ifMatch: string, title: string) =>
    app.ask('PATCH', base, { title }, { 'if-match': ifMatch })

  test('If-Match accepts the version bare, quoted, or as *', async () => {
    for (const form of [
      (tag: string) => tag,
      (tag: string) => tag.replaceAll('"', ''),
      () => '*',
    ]) {
      const tag = String((await app.ask('GET', base)).headers.get('etag'))
      const answer = await patch(form(tag), `title ${tag} ${form(tag)}`)
      expect(answer.status).toBe(200)
      expect(answer.headers.get('etag')).toBe(`"${String(answer.body.version)}"`)
    }
  })

  test('If-Match with another version is a 412 version-mismatch', async () => {
    for (const other of ['1', '"1"', '9007199254740991']) {
      const answer = await patch(other, 'lost')
      expect([answer.status, answer.body.code]).toEqual([412, 'version-mismatch'])
    }
  })

  test('If-Match in any other form is refused with field-invalid', async () => {
    for (const form of ['', 'W/"1"', '"1', '1"', '"1", "2"', '-1', 'abc', '9'.repeat(20)]) {
      const answer = await patch(form, 'lost')
      expect([form, answer.status, answer.body.code]).toEqual([form, 422, 'field-invalid'])
      expect(answer.body.errors).toMatchObject([{ in: 'header', pointer: '/If-Match' }])
    }
    expect((await app.ask('GET', base)).body.title).not.toBe('lost')
  })
})
