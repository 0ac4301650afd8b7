/**
 * The newest fifty messages over HTTP, beside Redis answering a list of the same fifty: what a cache
 * in front of nothing would cost. Both are driven by programs in C.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startNode } from '../test/support/node.ts'
import { testDatabaseUrl } from '../test/support/postgres.ts'
import { startRedis, stopTestRedis } from '../test/support/redis.ts'
import { type Comparison, compare } from './comparison.ts'
import { answer, conversationId, programsNeeded, question, runs, seconds } from './scene.ts'

const conversations = 64

export async function benchLoad(): Promise<Comparison[]> {
  programsNeeded('wrk', 'redis-benchmark')
  await using redis = await startRedis()
  await using node = await startNode({
    DATABASE_URL: await testDatabaseUrl(),
    REDIS_URL: `${redis.url}/0`,
  })
  const paths: string[] = []
  for (let n = 1; n <= conversations; n += 1) {
    const id = conversationId(n)
    const path = `${node.url}/v1/conversations/${id}`
    await post(`${node.url}/v1/conversations`, { id })
    for (let turn = 0; turn < 30; turn += 1)
      await post(`${path}/turns`, { user: { text: question }, assistant: { responses: [answer] } })
    paths.push(`/v1/conversations/${id}/history?last=50`)
  }
  const folder = mkdtempSync(join(tmpdir(), 'turnlog-bench-'))
  await listOfFifty(redis.port, `${node.url}${paths[0]}`)
  const comparisons: Comparison[] = []
  for (const connections of [32, 128])
    for (const consistency of ['strong', 'eventual'] as const) {
      const script = join(folder, 'load.lua')
      writeFileSync(script, luaOf(paths.map((path) => `${path}&consistency=${consistency}`)))
      await wrk(node.url, script, connections, 1)
      comparisons.push(
        await compare({
          name: `last 50, ${consistency}, ${connections} connections, against LRANGE of the same`,
          unit: 'loads/s',
          runs,
          ours: () => wrk(node.url, script, connections, seconds),
          baseline: () => lrange(redis.port, connections),
        }),
      )
    }
  rmSync(folder, { recursive: true, force: true })
  await stopTestRedis()
  return comparisons
}

async function post(url: string, body: unknown): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(await response.text())
}

/** The same fifty messages, printed as the service prints them, as a list. */
async function listOfFifty(port: number, url: string): Promise<void> {
  const { messages } = (await (await fetch(url)).json()) as { messages: unknown[] }
  const words = messages.map((message) => JSON.stringify(message))
  const { exitCode } = Bun.spawnSync(['redis-cli', '-p', `${port}`, 'RPUSH', 'fifty', ...words])
  if (exitCode !== 0) throw new Error('redis-cli failed')
}

/** Visits every conversation in turn. */
const luaOf = (paths: readonly string[]) => `
local paths = { ${paths.map((path) => JSON.stringify(path)).join(', ')} }
local n = 0
request = function()
  n = n + 1
  return wrk.format('GET', paths[n % #paths + 1])
end
done = function(summary)
  local errors = summary.errors
  if errors.connect + errors.read + errors.write + errors.status + errors.timeout > 0 then
    print('FAILED')
  end
end
`

async function wrk(url: string, script: string, connections: number, forSeconds: number) {
  const words = ['-t1', `-c${connections}`, `-d${forSeconds}s`, '-s', script, url]
  const child = Bun.spawn(['wrk', ...words], { stdout: 'pipe' })
  const output = await new Response(child.stdout).text()
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]
  if (rate === undefined || output.includes('FAILED')) throw new Error(`wrk:\n${output}`)
  return Number(rate)
}

async function lrange(port: number, clients: number): Promise<number> {
  const words = ['-p', `${port}`, '-c', `${clients}`, '-n', `${seconds * 20_000}`, '--csv']
  const child = Bun.spawn(['redis-benchmark', ...words, 'LRANGE', 'fifty', '0', '49'], {
    stdout: 'pipe',
  })
  const output = await new Response(child.stdout).text()
  const rate = /"LRANGE[^"]*","([\d.]+)"/.exec(output)?.[1]
  if (rate === undefined) throw new Error(`redis-benchmark:\n${output}`)
  return Number(rate)
}
