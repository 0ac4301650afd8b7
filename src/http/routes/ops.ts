/** Operations: health checks, and the list of addresses at `/`. */
import packageJson from '../../../package.json' with { type: 'json' }
import type { ProblemCode } from '../../problem.ts'
import { openapiPath, operation } from '../openapi/document.ts'
import type { Parameters } from '../openapi/parameters.ts'
import { answer } from '../request/answer.ts'
import type { Health, Router } from '../services.ts'
import { asyncapiPath } from './asyncapi.ts'

/** The state of the database. `reason` is a problem code. */
type Dependency = { name: string; status: 'up' | 'down'; reason?: ProblemCode }

/** The kind of requests that the caller wants to send to this node. */
type Purpose = 'writes' | 'reads'

type CacheDependency = { name: string; status: ReturnType<Health['cacheState']> }

type Readiness = {
  status: 'ready' | 'degraded' | 'unavailable' | 'draining'
  dependencies: { database: Dependency; cache: CacheDependency }
}

const isReady = ({ status }: Readiness) => status === 'ready' || status === 'degraded'

async function readinessOf(health: Health, purpose: Purpose): Promise<Readiness> {
  const { reads, writes } = await health.databaseState()
  const reason = reads ?? writes
  const up = (purpose === 'reads' ? reads : reason) === undefined
  const cache = health.cacheState()
  const isWhole = cache === 'up' && reason === undefined
  const serving = up ? (isWhole ? 'ready' : 'degraded') : 'unavailable'
  return {
    status: health.draining() ? 'draining' : serving,
    dependencies: {
      database: {
        name: health.databaseName,
        status: up ? 'up' : 'down',
        ...(reason === undefined ? {} : { reason }),
      },
      cache: { name: health.cacheName, status: cache },
    },
  }
}

const example = (status: Readiness['status'], reason?: ProblemCode): Readiness => ({
  status,
  dependencies: {
    database: {
      name: 'Postgres at db.example:5432/turnlog',
      status: status === 'unavailable' ? 'down' : 'up',
      ...(reason === undefined ? {} : { reason }),
    },
    cache: { name: 'Redis at cache.example:6379/0', status: 'up' },
  },
})

const parameters: Parameters = {
  for: {
    in: 'query',
    name: 'for',
    description:
      'The requests that a load balancer would send to this node: `writes` (and reads), or only `reads`, which still work while the database refuses writes.',
    schema: { type: 'string', enum: ['writes', 'reads'], default: 'writes' },
    isPresent: false,
    read: String,
  },
}

/**
 * The purpose in the query. An unknown one counts as `writes`: a 422 would take the node out of the
 * load balancer.
 */
const purposeOf = ({ url }: Request): Purpose =>
  /[?&]for=reads(&|$)/.test(url) ? 'reads' : 'writes'

const uncached = { 'cache-control': 'no-store' }

export function addOps(router: Router, health: Health): void {
  router.get('/healthz', () => answer({ status: 'ok' }, 200, uncached), {
    detail: operation({
      id: 'getHealth',
      tag: 'Operations',
      summary: 'Check that the process is alive (liveness)',
      answers: {
        200: { description: 'The process is alive.', schema: 'Health', example: { status: 'ok' } },
      },
      problems: [],
    }),
  })

  router.get(
    '/readyz',
    async ({ request }) => {
      const readiness = await readinessOf(health, purposeOf(request))
      return answer(readiness, isReady(readiness) ? 200 : 503, uncached)
    },
    {
      detail: operation({
        id: 'getReadiness',
        tag: 'Operations',
        summary: 'Check that the service can serve requests (readiness)',
        description:
          'Reports each dependency and, if it is down, the problem code of the reason. After three failed writes in a row, the service writes a test turn every 2 seconds and rolls it back. The answer is 503 while that fails, and 200 again after two successes in a row. The 503 has the same body as the 200 instead of a problem, so a probe reads one shape.',
        parameters,
        answers: {
          200: {
            description:
              'The service is ready. With the status `degraded` it works without its cache, slower but correct, or it serves reads while writes fail.',
            schema: 'Readiness',
            example: example('ready'),
          },
          503: {
            description:
              'The service is not ready: the database is down or refuses writes, or the service is about to stop. Send requests to another node.',
            schema: 'Readiness',
            example: example('unavailable', 'database-full'),
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
