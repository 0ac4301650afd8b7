/**
 * A load of HTTP requests from outside the service's process: `wrk` where there is one, which takes
 * 12 us of CPU a request where our own client, `http-load.ts`, takes 14 to 17 of the same cores.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LoadFigures, runProgram } from './cpu.ts'
import { httpLoad, requestBytes } from './http-load.ts'

export type Ask = { readonly path: string; readonly body?: unknown }

/** One after the other over all connections; each connection has one request in flight. */
export type LoadClient = Disposable & {
  readonly name: 'wrk' | 'own'
  /** For the record: the command, whatever the address. */
  words(connections: number, seconds: number): string[]
  run(connections: number, seconds: number): Promise<Load>
}

export type Load = LoadFigures & {
  /** The median of what requests waited for their answers. */
  readonly medianMs: number
}

/** GETs, and POSTs of those with a body. Any answer but 2xx fails the run. */
export function loadClient(url: string, asks: readonly Ask[]): LoadClient {
  return Bun.which('wrk') === null ? ownClient(url, asks) : wrkClient(url, asks)
}

function wrkClient(url: string, asks: readonly Ask[]): LoadClient {
  const folder = mkdtempSync(join(tmpdir(), 'turnlog-bench-'))
  writeFileSync(join(folder, 'load.lua'), luaOf(asks))
  const words = (connections: number, seconds: number) => [
    'wrk',
    '-t1',
    `-c${connections}`,
    `-d${seconds}s`,
    '-s',
    'load.lua',
  ]
  return {
    name: 'wrk',
    words,
    async run(connections, seconds) {
      const options = { cwd: folder }
      const { output, seconds: clientSeconds } = await runProgram(
        [...words(connections, seconds), url],
        options,
      )
      const figures = /RESULT (\d+) (\d+) (\d+) (\d+)/.exec(output)?.slice(1).map(Number)
      const [requests = 0, micros = 0, median = 0, errors = Number.NaN] = figures ?? []
      if (errors !== 0) throw new Error(`Requests failed:\n${output}`)
      return {
        value: (requests * 1e6) / micros,
        operations: requests,
        medianMs: median / 1000,
        clientSeconds,
      }
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** Requests are made once; then each is a string out. */
const luaOf = (asks: readonly Ask[]) => `
local asks = {
${asks.map(({ path, body }) => `{${lua(path)}${body === undefined ? '' : `, ${lua(JSON.stringify(body))}`}},`).join('\n')}
}
local requests = {}
local n = 0
init = function()
  for i, ask in ipairs(asks) do
    local method = ask[2] and 'POST' or 'GET'
    local headers = ask[2] and { ['Content-Type'] = 'application/json' } or {}
    requests[i] = wrk.format(method, ask[1], headers, ask[2])
  end
end
request = function()
  n = n % #requests + 1
  return requests[n]
end
done = function(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print(string.format('RESULT %d %d %d %d', summary.requests, summary.duration, latency:percentile(50), failed))
end
`

/** A string of JSON is one of Lua where it is plain ASCII. */
function lua(text: string): string {
  if (!/^[ -~]*$/.test(text)) throw new Error('Only ASCII is asked for')
  return JSON.stringify(text)
}

function ownClient(url: string, asks: readonly Ask[]): LoadClient {
  const requests = asks.map(requestBytes)
  return {
    name: 'own',
    words: (connections, seconds) => ['own client:', `${connections} connections,`, `${seconds} s`],
    async run(connections, seconds) {
      const before = process.cpuUsage()
      const next = (n: number) => requests[n % requests.length] ?? Buffer.alloc(0)
      const load = await httpLoad({ port: Number(new URL(url).port), connections, seconds, next })
      if (load.failures > 0) throw new Error(`${load.failures} requests failed`)
      const { user, system } = process.cpuUsage(before)
      return {
        value: load.requestsPerSecond,
        operations: load.requests,
        medianMs: load.medianMs,
        clientSeconds: (user + system) / 1e6,
      }
    },
    [Symbol.dispose]: () => {},
  }
}
