/** Operations: whether the process lives, whether the service is ready, and where things are. */
import packageJson from '../../../package.json' with { type: 'json' }
import type { ProblemCode } from '../../problem.ts'
import { openapiPath, operation } from '../openapi/document.ts'
import type { Parameters } from '../openapi/parameters.ts'
import { answer } from '../request/answer.ts'
import type { Health, Router } from '../services.ts'
import { asyncapiPath } from './asyncapi.ts'

/** `reason`: a code of the table of problems. */
type Dependency = { name: string; status: 'up' | 'down'; reason?: ProblemCode }

/** Which requests the caller wants to send to this node. */
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
      'What would be sent here: `writes` (reads as well), or `reads` alone, which go on while the database takes no writes.',
    schema: { type: 'string', enum: ['writes', 'reads'], default: 'writes' },
    isPresent: false,
    read: String,
  },
}

/** An unknown `for` counts as `writes`: a 422 would remove the node from the load balancer. */
const purposeOf = ({ url }: Request): Purpose =>
  /[?&]for=reads(&|$)/.test(url) ? 'reads' : 'writes'

const uncached = { 'cache-control': 'no-store' }

export function addOps(router: Router, health: Health): void {
  router.get('/healthz', () => answer({ status: 'ok' }, 200, uncached), {
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
    async ({ request }) => {
      const readiness = await readinessOf(health, purposeOf(request))
      return answer(readiness, isReady(readiness) ? 200 : 503, uncached)
    },
    {
      detail: operation({
        id: 'getReadiness',
        tag: 'Operations',
        summary: 'Whether the service can do its work',
        description:
          'Names each dependency, and why it is down by the code of a problem. After three failed writes in a row a turn is written and taken back every 2 seconds: while that fails, this is 503, and 200 again once it has succeeded twice. Alone among the answers that are not 2xx, its 503 is no problem but the same report: a probe reads one shape.',
        parameters,
        answers: {
          200: {
            description:
              'Ready; degraded is ready without its cache, slower and right, or for reads while writes fail.',
            schema: 'Readiness',
            example: example('ready'),
          },
          503: {
            description:
              'Not ready: the database is down or takes no writes, or the service is about to stop.',
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
