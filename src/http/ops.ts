/** For whoever runs the service: whether it lives, whether it is ready, and where things are. */
import packageJson from '../../package.json' with { type: 'json' }
import { answer } from './answer.ts'
import { asyncapiPath } from './asyncapi.ts'
import { openapiPath, operation } from './openapi.ts'
import type { Router } from './server.ts'

export type Health = {
  /** Where the database is, without secrets. */
  readonly databaseName: string
  /** Settles soon, whatever the database does. */
  databaseAnswers(): Promise<boolean>
  /** Where the cache is, without secrets. */
  readonly cacheName: string
  /** `read-only`: it answers, and takes no writes, so nothing is read from it. */
  cacheState(): CacheDependency['status']
  /** Whether the service is about to stop and wants no more requests. */
  draining(): boolean
}

type Dependency = { name: string; status: 'up' | 'down' }

type CacheDependency = { name: string; status: 'up' | 'down' | 'read-only' }

type Readiness = {
  status: 'ready' | 'degraded' | 'unavailable' | 'draining'
  dependencies: { database: Dependency; cache: CacheDependency }
}

const isReady = ({ status }: Readiness) => status === 'ready' || status === 'degraded'

async function readinessOf(health: Health): Promise<Readiness> {
  const up = await health.databaseAnswers()
  const cache = health.cacheState()
  const serving = up ? (cache === 'up' ? 'ready' : 'degraded') : 'unavailable'
  return {
    status: health.draining() ? 'draining' : serving,
    dependencies: {
      database: { name: health.databaseName, status: up ? 'up' : 'down' },
      cache: { name: health.cacheName, status: cache },
    },
  }
}

const example = (status: Readiness['status'], database: 'up' | 'down'): Readiness => ({
  status,
  dependencies: {
    database: { name: 'Postgres at db.example:5432/turnlog', status: database },
    cache: { name: 'Redis at cache.example:6379/0', status: 'up' },
  },
})

const fresh = { 'cache-control': 'no-store' }

export function addOps(router: Router, health: Health): void {
  router.get('/healthz', () => answer({ status: 'ok' }, 200, fresh), {
    detail: operation({
      id: 'getHealth',
      tag: 'Operations',
      summary: 'Whether the process lives',
      answers: { 200: { description: 'It does.', schema: 'Health', example: { status: 'ok' } } },
      problems: [],
    }),
  })

  router.get(
    '/readyz',
    async () => {
      const readiness = await readinessOf(health)
      return answer(readiness, isReady(readiness) ? 200 : 503, fresh)
    },
    {
      detail: operation({
        id: 'getReadiness',
        tag: 'Operations',
        summary: 'Whether the service can do its work',
        description:
          'Names each dependency. Alone among the answers that are not 2xx, its 503 is no problem but the same report: a probe reads one shape.',
        answers: {
          200: {
            description: 'Ready; degraded is ready without its cache, slower and right.',
            schema: 'Readiness',
            example: example('ready', 'up'),
          },
          503: {
            description: 'Not ready: the database is down, or the service is about to stop.',
            schema: 'Readiness',
            example: example('unavailable', 'down'),
          },
        },
        problems: [],
      }),
    },
  )

  router.get(
    '/',
    () =>
      answer({
        name: 'turnlog',
        version: packageJson.version,
        api: '/v1/conversations',
        swagger: '/swagger',
        openapi: openapiPath,
        asyncapi: asyncapiPath,
        problems: '/problems',
        health: '/healthz',
        readiness: '/readyz',
      }),
    { detail: { hide: true } },
  )
}
