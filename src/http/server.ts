/** The router of the service: every route, behind one edge. */
import { Elysia } from 'elysia'
import { openapiPlugin } from './openapi/document.ts'
import { accessWarning, createAccess } from './request/access.ts'
import { Edge, type Fetch } from './request/edge.ts'
import { addAsyncapi } from './routes/asyncapi.ts'
import { audioRoutes } from './routes/audio.ts'
import { conversationRoutes } from './routes/conversations.ts'
import { addLive, livePath } from './routes/live-socket.ts'
import { messageRoutes } from './routes/messages.ts'
import { addOps } from './routes/ops.ts'
import { addProblemPages } from './routes/problem-pages.ts'
import { addRoute, type RouteFactory } from './routes/route.ts'
import { seatRoutes } from './routes/seats.ts'
import { segmentRoutes } from './routes/segments.ts'
import { addSwagger } from './routes/swagger.ts'
import { turnRoutes } from './routes/turns.ts'
import { voiceSessionRoutes } from './routes/voice-sessions.ts'
import type { Router, Services } from './services.ts'

/** The routes of the API, in the order in which the OpenAPI document lists them. */
const apiRoutes: readonly RouteFactory[] = [
  ...conversationRoutes,
  ...turnRoutes,
  ...audioRoutes,
  ...seatRoutes,
  ...voiceSessionRoutes,
  ...messageRoutes,
  ...segmentRoutes,
]

/** Makes the router. It logs a warning if the access settings are unsafe. */
export function createServer(services: Services): Router {
  const access = createAccess(services.access)
  const edge = new Edge({
    events: services.events,
    access,
    log: services.log,
    readableAnywhere: livePath,
  })
  const warning = accessWarning(services.access)
  if (warning !== undefined) services.events.notice('warn', warning)
  const router = new Elysia({
    // Bun's own router would answer some routes without the edge.
    systemRouter: false,
    // Without this, every path is unknown under a host name of up to three characters without a
    // port.
    handler: { standardHostname: false },
  })
  let wrapped: Fetch | undefined
  router
    // Elysia calls this for every request. `handle` is the unwrapped `fetch`, although its type
    // does not say it.
    .wrap((handle) => {
      wrapped ??= edge.wrap(handle as unknown as Fetch, () => router.routes)
      return wrapped
    })
    .onError(({ request, error }) => edge.failed({ request, error }))
    .use(openapiPlugin())
  for (const factory of apiRoutes) addRoute(router, factory(services))
  addLive(router, { ...services.live, isForbiddenPage: access.isForbiddenPage })
  addOps(router, services.health)
  addProblemPages(router)
  addSwagger(router)
  addAsyncapi(router)
  return router
}
