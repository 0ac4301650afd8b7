/** A description of a route becomes its OpenAPI operation and its handler. */
import { describe, expect, test } from 'bun:test'
import { localPrincipal } from '../../../src/conversation/wire/principal.ts'
import { conversationId, limit } from '../../../src/http/openapi/fields.ts'
import { type Route, route } from '../../../src/http/routes/route.ts'
import { Problem } from '../../../src/problem.ts'

const id = '0199c3a4-7d1e-7b52-9f10-3c6d2a9b4e01'
const described = { tag: 'Turns', summary: 'Try', problems: [] } as const
const fine = { 200: { description: 'Fine.' } }

const list = route({
  ...described,
  method: 'GET',
  path: '/things/:id',
  id: 'listThings',
  parameters: { id: conversationId, limit: limit(10, 5) },
  answers: fine,
  handle: async (principal, { id, limit }, body) => Response.json({ principal, id, limit, body }),
})

const writeWith = (body: { readonly required?: boolean }): Route =>
  route({
    ...described,
    method: 'PUT',
    path: '/things',
    id: 'putThing',
    parameters: {},
    body: {
      ...body,
      schema: 'NewTurn',
      examples: { one: {} },
      limits: { turnBytesMax: 20 },
      decode: (json) => ({ json }),
    },
    answers: fine,
    handle: async (_, __, { json }) => Response.json({ json }),
  })

const answerOf = async (one: Route, request: Request, params = {}): Promise<unknown> => {
  try {
    return await (await one.handler({ request, params })).json()
  } catch (error) {
    return error instanceof Problem ? error.code : error
  }
}

const put = (body: string) =>
  new Request('http://h/things', {
    method: 'PUT',
    body,
    headers: { 'content-type': 'application/json' },
  })

describe('the handler of a route', () => {
  test('the handler of a read gets the principal, parameters with defaults, and no body', async () => {
    const request = new Request(`http://h/things/${id}`)
    expect(await answerOf(list, request, { id })).toEqual({
      principal: localPrincipal,
      id,
      limit: 5,
    })
  })

  test('wrong parameters of a request are refused before the handler of its route is called', async () => {
    for (const [query, code] of [
      ['?limit=11', 'limit-invalid'],
      ['?other=1', 'field-unknown'],
    ] as const)
      expect(await answerOf(list, new Request(`http://h/things/${id}${query}`), { id })).toBe(code)
    expect(await answerOf(list, new Request('http://h/things/x'), { id: 'x' })).toBe('id-invalid')
  })

  test('the handler of a write gets the decoded body, and a too large body is refused', async () => {
    expect(await answerOf(writeWith({}), put('{"a":1}'))).toEqual({ json: { a: 1 } })
    expect(await answerOf(writeWith({}), put(`"${'x'.repeat(20)}"`))).toBe('body-too-large')
    expect(await answerOf(writeWith({}), put('{'))).toBe('body-not-json')
  })

  test('an absent body is an empty object if the body is optional, otherwise body-not-json', async () => {
    expect(await answerOf(writeWith({}), put(''))).toBe('body-not-json')
    expect(await answerOf(writeWith({ required: false }), put(''))).toEqual({ json: {} })
  })
})

describe('the operation of a route', () => {
  test("the OpenAPI operation of a route describes the route's parameters and body", () => {
    expect(list.detail).toMatchObject({
      operationId: 'listThings',
      parameters: [
        { in: 'path', name: 'id', required: true },
        { in: 'query', name: 'limit', required: false, schema: { maximum: 10, default: 5 } },
        { in: 'header', name: 'Turnlog-Request-Id' },
      ],
    })
    expect(list.detail.requestBody).toBeUndefined()
    for (const required of [true, false])
      expect(writeWith({ required }).detail.requestBody).toMatchObject({
        required,
        content: { 'application/json': { schema: { $ref: '#/components/schemas/NewTurn' } } },
      })
  })
})
