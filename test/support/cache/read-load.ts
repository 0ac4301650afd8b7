/**
 * Reads histories from a process of its own, as fast as answers arrive. Its arguments are a port,
 * connections and seconds; its standard input has the paths as JSON. It prints the number of
 * answers and of failures.
 */
import { httpLoad, requestBytes } from '../../../bench/load/http-load.ts'

const [port = 0, connections = 0, seconds = 0] = process.argv.slice(2).map(Number)
const paths: string[] = JSON.parse(await Bun.stdin.text())
const requests = paths.map((path) => requestBytes({ path }))
const next = (n: number) => requests[n % requests.length] ?? Buffer.alloc(0)
const { requests: answered, failures } = await httpLoad({ port, connections, seconds, next })
process.stdout.write(JSON.stringify({ answered, failures }))
