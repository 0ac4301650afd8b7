/** The REST side of the service, put together: every route behind one edge. */
import { Elysia } from 'elysia'
import type { Config } from '../config.ts'
import type { Histories } from '../conversation/histories.ts'
import type { Reader } from '../conversation/reading/reader.ts'
import type { Store } from '../conversation/store.ts'
import type { Decoder } from '../conversation/wire/decode.ts'
import type { Events } from '../events.ts'
import { createEdge, type Fetch } from './edge.ts'
import { openapiPlugin } from './openapi/document.ts'
import { type AccessSettings, accessWarning, createAccess } from './request/access.ts'
import type { RequestLogOptions } from './request/request-log.ts'
import { addAsyncapi } from './routes/asyncapi.ts'
import { addAudio } from './routes/audio.ts'
import { addConversations } from './routes/conversations.ts'
import { addLive, type LiveServices } from './routes/live-socket.ts'
import { addMessages } from './routes/messages.ts'
import { addOps, type Health } from './routes/ops.ts'
import { addProblemPages } from './routes/problem-pages.ts'
import { addSeats } from './routes/seats.ts'
import { addSegments } from './routes/segments.ts'
import { addSwagger } from './routes/swagger.ts'
import { addTurns } from './routes/turns.ts'
import { addVoiceSessions } from './routes/voice-sessions.ts'

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
