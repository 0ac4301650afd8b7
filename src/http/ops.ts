/** For whoever runs the service: whether it lives, whether it is ready, and where things are. */
import packageJson from '../../package.json' with { type: 'json' }
import { answer } from './answer.ts'
import { openapiPath, operation } from './openapi.ts'
import type { Router } from './server.ts'

export type Health = {
  /** Where the database is, without secrets. */
  readonly databaseName: string
  /** Settles soon, whatever the database does. */
  databaseAnswers(): Promise<boolean>
  /** Whether the service is about to stop and wants no more requests. */
  draining(): boolean
}

type Readiness = {
  status: 'ready' | 'unavailable' | 'draining'
  dependencies: { database: { name: string; status: 'up' | 'down' } }
}

async function readinessOf(health: Health): Promise<Readiness> {
  const up = await health.databaseAnswers()
  return {
    status: health.draining() ? 'draining' : up ? 'ready' : 'unavailable',
    dependencies: { database: { name: health.databaseName, status: up ? 'up' : 'down' } },
  }
}

const example = (status: Readiness['status'], database: 'up' | 'down'): Readiness => ({
  status,
  dependencies: { database: { name: 'Postgres at db.example:5432/turnlog', status: database } },
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
      return answer(readiness, readiness.status === 'ready' ? 200 : 503, fresh)
    },
    {
      detail: operation({
        id: 'getReadiness',
        tag: 'Operations',
        summary: 'Whether the service can do its work',
        description:
          'Names each dependency. Alone among the answers that are not 2xx, its 503 is no problem but the same report: a probe reads one shape.',
        answers: {
          200: { description: 'Ready.', schema: 'Readiness', example: example('ready', 'up') },
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
        problems: '/problems',
        health: '/healthz',
        readiness: '/readyz',
      }),
    { detail: { hide: true } },
  )
}
