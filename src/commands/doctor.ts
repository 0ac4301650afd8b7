/**
 * The command `turnlog doctor` checks the servers that the settings name, and says how to fix
 * problems.
 */
import packageJson from '../../package.json' with { type: 'json' }
import type { Config, ExaminedConfig } from '../config.ts'
import { inspect } from '../resources.ts'
import { maskedUrl } from './config.ts'
import { databaseChecks } from './doctor/database.ts'
import { askRedis, RedisFailure } from './doctor/redis.ts'
import { type Check, checksOf, reportText, wrongIn } from './doctor/report.ts'
import { serviceChecks } from './doctor/service.ts'
import { settingChecks } from './doctor/settings.ts'

// The deadlines do not depend on the settings, because the operator waits for the report.
const connectMaxMs = 3000
const deadlineMs = 2000

/**
 * Resolves with the report, for people or as JSON, and the exit code 1 if something is wrong.
 * Changes nothing.
 */
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
  const hasWrongSetting = (section: string) =>
    error?.problems.some(({ path }) => path.startsWith(`${section}.`)) === true
  const connectTimeoutMs = Math.min(config.database.connectTimeoutMs, connectMaxMs)
  // The first statement also waits for its connection. Its deadline is later than that of the
  // connection, whose failure says more.
  const bounds = { connectTimeoutMs, deadlineMs: connectTimeoutMs + deadlineMs }
  // The checks run one after the other, because a parallel check would increase the measured
  // latency.
  return [
    runtimeCheck(),
    ...settingChecks(examined),
    ...(hasWrongSetting('database')
      ? [checksOf('database').note('server', 'not checked: its settings are wrong')]
      : await databaseChecks(config, inspect(config, bounds))),
    ...(await redisCheck('cache.url', 'REDIS_URL', config.cache.url, {
      unset: 'unset: histories are cached in the memory of the process',
      wrong: '; the service runs without it, but slower',
    })),
    ...(await redisCheck('jobs.url', 'JOBS_REDIS_URL', config.jobs.url, {
      unset: 'unset; this release does not use it yet',
      wrong: '; this release does not use it yet',
    })),
    ...(hasWrongSetting('server') ? [] : await serviceChecks(config, deadlineMs)),
  ]
}

function runtimeCheck(): Check {
  const { ok, wrong } = checksOf('runtime')
  const finding = `Bun ${Bun.version} on ${process.platform} ${process.arch}`
  const required = packageJson.engines.bun
  if (Bun.semver.satisfies(Bun.version, required)) return ok('bun', finding)
  return wrong('bun', finding, `Use Bun ${required}.`)
}

async function redisCheck(
  path: string,
  env: string,
  url: Config['cache']['url'],
  texts: { readonly unset: string; readonly wrong: string },
): Promise<Check[]> {
  const { note, ok, wrong } = checksOf('redis')
  if (url === undefined) return [note(path, texts.unset)]
  const shownUrl = maskedUrl(url)
  if (!/^rediss?:/.test(url))
    return [note(path, `${shownUrl} is not checked: doctor can only check a single Redis`)]
  try {
    const { version, latencyMs } = await askRedis(url, deadlineMs)
    return [ok(path, `${shownUrl} answers: Redis ${version}, ${latencyMs.toFixed(1)} ms`)]
  } catch (thrown) {
    if (!(thrown instanceof RedisFailure)) throw thrown
    return [
      wrong(path, `${shownUrl} ${thrown.message}${texts.wrong}`, `${thrown.advice} in ${env}.`),
    ]
  }
}
