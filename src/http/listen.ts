/** Serving on a port, with the server that Elysia has for the runtime. */
import type { Live } from '../live/live.ts'
import { StartRefusal } from '../ports/database.ts'
import { socketHandlers } from './routes/live-socket.ts'
import type { Router } from './services.ts'

export type Listening = {
  /** The address on this machine, for people and tests: never a wildcard address. */
  readonly url: string
  /**
   * Takes no more connections, closes idle ones, says goodbye to sockets, lets requests in flight end
   * for at most `graceMs`, then cuts what is left.
   */
  stop(graceMs: number): Promise<void>
}

/** Milliseconds between two looks of a stop at the requests in flight. */
const lookMs = 10

export function listen(
  router: Router,
  { host, port }: { host: string; port: number },
  live: Live,
): Listening {
  try {
    router.listen({
      hostname: host,
      port,
      // With `reusePort`, a second server on the port would start silently and take some of the requests.
      reusePort: false,
      development: false,
      // Longer than the longest answer takes (an erasure), and than load balancers keep connections.
      idleTimeout: 75,
      // `request/body.ts` bounds bodies: the runtime would refuse them without a problem.
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
      // Resolves late where a client has sent half a request and no more: not waited for.
      void Promise.resolve(server.stop()).catch(() => {})
      await live.drain(graceMs)
      while (server.pendingRequests > 0 && performance.now() < deadlineAt)
        await new Promise((resolve) => setTimeout(resolve, lookMs))
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
      `Port ${port} on ${host} is taken by another program: stop that one, or choose another port with PORT.`,
    )
  if (code === 'EACCES')
    return new StartRefusal(
      `This user may not listen on port ${port}: choose one above 1023 with PORT.`,
    )
  const reason = error instanceof Error ? error.message : String(error)
  return new StartRefusal(`Cannot listen on ${host}, port ${port}: ${reason}`)
}
