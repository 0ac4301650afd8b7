/** A route of the API. One description becomes its OpenAPI operation and its handler. */
import type { DocumentDecoration } from 'elysia'
import { authenticate } from '../../auth.ts'
import type { Config } from '../../config.ts'
import type { Principal } from '../../conversation/wire/principal.ts'
import { type ComponentName, passThrough } from '../openapi/component-schemas.ts'
import { type Operation, operation } from '../openapi/document.ts'
import { inputs, type Parameters, type Values } from '../openapi/parameters.ts'
import { type BodyRules, readJson } from '../request/body.ts'
import type { Router, Services } from '../services.ts'

/** The description of a request body, and its decoder. */
export type RouteBody<Decoded> = {
  readonly schema: ComponentName
  /** Whether an absent body is refused. If not, it is read as `{}`. @default true */
  readonly required?: boolean
  /** @default ['application/json'] */
  readonly mediaTypes?: readonly string[]
  /** Each example under a short name. */
  readonly examples: Readonly<Record<string, unknown>>
  /** `turnBytesMax` is the maximum size of the body, in bytes. */
  readonly limits: Pick<Config['limits'], 'turnBytesMax'>
  /** Decodes the JSON value. Throws a `Problem` that names every field that breaks a rule. */
  readonly decode: (json: unknown) => Decoded
}

export type RouteDescription<Declared extends Parameters, Decoded> = Omit<
  Operation,
  'parameters' | 'body'
> & {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** The path, with path parameters as `:name`. Each is declared in `parameters`. */
  readonly path: string
  readonly parameters: Declared
  readonly body?: RouteBody<Decoded>
  /** Answers a request, with its parsed parameters and its decoded body. */
  readonly handle: (
    principal: Principal,
    values: Values<Declared>,
    body: Decoded,
  ) => Promise<Response>
}

/** The input that Elysia passes to a handler. */
type HandlerInput = { readonly request: Request; readonly params: Readonly<Record<string, string>> }

export type Route = {
  readonly method: RouteDescription<Parameters, unknown>['method']
  readonly path: string
  readonly detail: DocumentDecoration
  readonly handler: (input: HandlerInput) => Promise<Response>
}

/** Makes a route from the services that it calls. */
export type RouteFactory = (services: Services) => Route

/**
 * Makes a route from its description. For each request the route finds the principal, parses the
 * parameters, then the body, and calls `handle`. `handle` gets `undefined` if the route has no
 * body.
 */
export function route<const Declared extends Parameters, Decoded = undefined>(
  description: RouteDescription<Declared, Decoded>,
): Route {
  const { method, path, parameters, body, handle, ...described } = description
  const { read } = inputs(parameters)
  const detail = operation({
    ...described,
    parameters,
    ...(body === undefined ? {} : { body: { required: true, mediaTypes: jsonOnly, ...body } }),
  })
  if (body === undefined) {
    // A route without a body has no decoder, so `Decoded` is its default, `undefined`.
    const nothing = undefined as Decoded
    // Not async, because one more async call was measured at 1 to 3 % of a read.
    const handler = ({ request, params }: HandlerInput) =>
      handle(authenticate(request), read(request, params), nothing)
    return { method, path, detail, handler }
  }
  const { decode, limits, required = true, mediaTypes = jsonOnly } = body
  const rules: BodyRules = {
    required,
    maxBytes: limits.turnBytesMax,
    setting: 'limits.turnBytesMax',
    mediaTypes,
  }
  const handler = async ({ request, params }: HandlerInput) => {
    const principal = authenticate(request)
    const values = read(request, params)
    return await handle(principal, values, decode(await readJson(request, rules)))
  }
  return { method, path, detail, handler }
}

const jsonOnly: readonly string[] = ['application/json']

/**
 * Adds a route to the router. The route reads the body itself: the router would read it without a
 * bound.
 */
export function addRoute(router: Router, { method, path, handler, detail }: Route): void {
  router.route(method, path, handler, { params: passThrough, parse: 'none', detail })
}
