/** The server on a port. Elysia brings one for the runtime. */
import type { Live } from '../live/live.ts'
import { thrownText } from '../mechanics/thrown-text.ts'
import { StartRefusal } from '../ports/database.ts'
import { socketHandlers } from './routes/live-socket.ts'
import type { Router } from './services.ts'

export type Listening = {
  /** The address on this machine, never a wildcard address. */
  readonly url: string
  /**
   * Accepts no more connections, closes idle ones and sends `bye` to sockets. It waits at most
   * `graceMs` milliseconds for requests in flight, then closes the remaining connections.
   */
  stop(graceMs: number): Promise<void>
}

/** Milliseconds between two checks of the requests in flight, during a stop. */
const checkMs = 10

/** Starts the server. Throws a `StartRefusal` if it cannot listen on the host and port. */
export function listen(
  router: Router,
  { host, port }: { host: string; port: number },
  live: Live,
): Listening {
  try {
    router.listen({
      hostname: host,
      port,
      // With `reusePort`, a second server on the port would start silently and get some of the
      // requests.
      reusePort: false,
      development: false,
      // Seconds: longer than the slowest answer (an erasure), and longer than load balancers keep
      // connections.
      idleTimeout: 75,
      // `request/body.ts` bounds bodies instead: the runtime would refuse them without a problem
      // body.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      websocket: socketHandlers(live),
    })
  } catch (error) {
    throw refusal(error, host, port)
  }
  const { server } = router
  if (server === null) throw new Error('The server did not start.')
  return {
    url: `http://${shownHost(host)}:${server.port}`,
    async stop(graceMs) {
      const deadlineAt = performance.now() + graceMs
      // Not awaited: it resolves late if a client has sent half a request and nothing more.
      void Promise.resolve(server.stop()).catch(() => {})
      await live.drain(graceMs)
      while (server.pendingRequests > 0 && performance.now() < deadlineAt)
        await new Promise((resolve) => setTimeout(resolve, checkMs))
      await server.stop(true)
    },
  }
}

function shownHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost'
  return host.includes(':') ? `[${host}]` : host
}

function refusal(error: unknown, host: string, port: number): StartRefusal {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE')
    return new StartRefusal(
      `Port ${port} on ${host} is in use by another program: stop that program, or choose another port with PORT.`,
    )
  if (code === 'EACCES')
    return new StartRefusal(
      `This user may not listen on port ${port}: choose one above 1023 with PORT.`,
    )
  return new StartRefusal(`Cannot listen on ${host}, port ${port}: ${thrownText(error)}`)
}
