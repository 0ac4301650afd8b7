/**
 * A load of HTTP requests from outside the service's process. It is made by `wrk` if that is
 * installed, which takes 12 us of CPU a request, and else by our own client, `http-load.ts`, which
 * takes 14 to 17 us of the same cores.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LoadFigures, runProgram } from './cpu.ts'
import { httpLoad, requestBytes } from './http-load.ts'

export type Ask = { readonly path: string; readonly body?: unknown }

/**
 * Sends the requests one after the other over all connections. Each connection has one in flight.
 */
export type LoadClient = Disposable & {
  readonly name: 'wrk' | 'own'
  /** The command line for the report, without the address. */
  words(connections: number, seconds: number): string[]
  run(connections: number, seconds: number): Promise<Load>
}

export type Load = LoadFigures & {
  /** Median time from a request to its answer, in milliseconds. */
  readonly medianMs: number
}

/** Requests with a body are POSTs, all others GETs. Any answer but 2xx fails the run. */
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

/** The script for wrk. It builds all requests once, so that sending one is writing a string. */
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

/** A string as Lua source. Plain ASCII in JSON is the same in Lua. */
function lua(text: string): string {
  if (!/^[ -~]*$/.test(text)) throw new Error(`Use plain ASCII in a request: ${text}`)
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
