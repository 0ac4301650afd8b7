/** The router of the service: every route behind one edge. */
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
    // With Bun's own router, the service would behave in two ways.
    systemRouter: false,
    // Otherwise a host name of three characters without a port makes every path unknown.
    handler: { standardHostname: false },
  })
  let wrapped: Fetch | undefined
  router
    // Elysia calls this for every request. Its types do not say that `handle` is the unwrapped `fetch`.
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
