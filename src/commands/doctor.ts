/** `turnlog doctor`: what the settings point to, how it is, and what to do about what is wrong. */
import packageJson from '../../package.json' with { type: 'json' }
import type { Config, ExaminedConfig } from '../config.ts'
import { inspect } from '../resources.ts'
import { maskedUrl } from './config.ts'
import { databaseChecks } from './doctor/database.ts'
import { askRedis, RedisFailure } from './doctor/redis.ts'
import { type Check, checksOf, reportText, wrongIn } from './doctor/report.ts'
import { serviceChecks } from './doctor/service.ts'
import { settingChecks } from './doctor/settings.ts'

/** Whoever asks a doctor waits for the answer: no setting makes that long. */
const connectMaxMs = 3000
const deadlineMs = 2000

/** The report, for people or as JSON, and 1 if something is wrong. Changes nothing. */
export async function doctor(
  examined: ExaminedConfig,
  { json }: { readonly json: boolean },
): Promise<{ text: string; code: number }> {
  const checks = await allChecks(examined)
  const wrong = wrongIn(checks)
  const text = json
    ? `${JSON.stringify({ version: packageJson.version, wrong, checks }, null, 2)}\n`
    : reportText(`Turnlog ${packageJson.version}`, checks)
  return { text, code: wrong === 0 ? 0 : 1 }
}

async function allChecks(examined: ExaminedConfig): Promise<Check[]> {
  const { config, error } = examined
  const unsure = (section: string) =>
    error?.problems.some(({ path }) => path.startsWith(`${section}.`)) === true
  const connectTimeoutMs = Math.min(config.database.connectTimeoutMs, connectMaxMs)
  // The first statement waits for its connection, and that failure says more than its own.
  const bounds = { connectTimeoutMs, deadlineMs: connectTimeoutMs + deadlineMs }
  // One after the other: what runs beside it would be measured as its latency.
  return [
    runtimeCheck(),
    ...settingChecks(examined),
    ...(unsure('database')
      ? [checksOf('database').note('server', 'not looked at: its settings are wrong')]
      : await databaseChecks(config, inspect(config, bounds))),
    ...(await redisCheck('cache.url', 'REDIS_URL', config.cache.url, {
      unset: 'unset: histories are cached in memory of the process',
      wrong: '; the service runs without it, slower',
    })),
    ...(await redisCheck('jobs.url', 'JOBS_REDIS_URL', config.jobs.url, {
      unset: 'unset; this release does not use it yet',
      wrong: '; this release does not use it yet',
    })),
    ...(unsure('server') ? [] : await serviceChecks(config, deadlineMs)),
  ]
}

function runtimeCheck(): Check {
  const { ok, wrong } = checksOf('runtime')
  const finding = `Bun ${Bun.version} on ${process.platform} ${process.arch}`
  const wanted = packageJson.engines.bun
  if (Bun.semver.satisfies(Bun.version, wanted)) return ok('bun', finding)
  return wrong('bun', finding, `Use Bun ${wanted}.`)
}

async function redisCheck(
  path: string,
  env: string,
  url: Config['cache']['url'],
  say: { readonly unset: string; readonly wrong: string },
): Promise<Check[]> {
  const { note, ok, wrong } = checksOf('redis')
  if (url === undefined) return [note(path, say.unset)]
  const place = maskedUrl(url)
  if (!/^rediss?:/.test(url))
    return [note(path, `${place} is not looked at: only a single Redis is`)]
  try {
    const { version, latencyMs } = await askRedis(url, deadlineMs)
    return [ok(path, `${place} answers: Redis ${version}, ${latencyMs.toFixed(1)} ms`)]
  } catch (thrown) {
    if (!(thrown instanceof RedisFailure)) throw thrown
    return [wrong(path, `${place} ${thrown.message}${say.wrong}`, `${thrown.advice} in ${env}.`)]
  }
}
