/** The REST side of the service, put together: every route behind one edge. */
import { Elysia } from 'elysia'
import type { Config } from '../config.ts'
import type { Decoder } from '../conversation/decode.ts'
import type { Histories } from '../conversation/histories.ts'
import type { Reader } from '../conversation/reader.ts'
import type { Store } from '../conversation/store.ts'
import type { Events } from '../events.ts'
import { type AccessSettings, accessWarning, createAccess } from './access.ts'
import { addAsyncapi } from './asyncapi.ts'
import { addAudio } from './audio.ts'
import { addConversations } from './conversations.ts'
import { createEdge, type Fetch } from './edge.ts'
import { addLive, type LiveServices } from './live.ts'
import { addMessages } from './messages.ts'
import { openapiPlugin } from './openapi.ts'
import { addOps, type Health } from './ops.ts'
import { addProblemPages } from './problem-pages.ts'
import type { RequestLogOptions } from './request-log.ts'
import { addSeats } from './seats.ts'
import { addSegments } from './segments.ts'
import { addSwagger } from './swagger.ts'
import { addTurns } from './turns.ts'
import { addVoiceSessions } from './voice-sessions.ts'

export type Services = {
  readonly store: Store
  readonly reader: Reader
  readonly histories: Histories
  readonly decoder: Decoder
  readonly events: Events
  readonly health: Health
  readonly limits: Config['limits']
  readonly live: Pick<LiveServices, 'draining'>
  readonly access: AccessSettings
  readonly log: RequestLogOptions
}

/** What routes are added to. */
export type Router = Elysia

export function createServer(services: Services): Router {
  const access = createAccess(services.access)
  const edge = createEdge(services.events, access, services.log)
  const warning = accessWarning(services.access)
  if (warning !== undefined) services.events.notice('warn', warning)
  const router = new Elysia({
    // Bun has a router of its own, which would make one service behave in two ways.
    systemRouter: false,
    // Else a host name of three characters without a port makes every path unknown.
    handler: { standardHostname: false },
  })
  let around: Fetch | undefined
  router
    // Asked anew for every request. Its types are of no help: `handle` is what `fetch` was.
    .wrap((handle) => {
      around ??= edge.around(handle as unknown as Fetch, () => router.routes)
      return around
    })
    .onError(({ request, error }) => edge.failed({ request, error }))
    .use(openapiPlugin())
  addConversations(router, services)
  addTurns(router, services)
  addAudio(router, services)
  addSeats(router, services)
  addVoiceSessions(router, services)
  addMessages(router, services)
  addSegments(router, services)
  addLive(router, { ...services.live, isForeign: access.isForeign })
  addOps(router, services.health)
  addProblemPages(router)
  addSwagger(router)
  addAsyncapi(router)
  return router
}
