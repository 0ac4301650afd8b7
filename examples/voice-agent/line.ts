/** The agent's line to the service: a proxy that can be cut at any moment, like a real connection. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export type Line = AsyncDisposable & {
  /** The address of the proxy. */
  readonly url: string
  /** Cuts all connections. */
  cut(): void
}

export async function openLine(serviceUrl: string): Promise<Line> {
  const { hostname, port } = new URL(serviceUrl)
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(Number(port === '' ? 80 : port), hostname)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.pipe(to)
      from.on('error', () => to.destroy())
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the line has no port')
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  return {
    url: `http://127.0.0.1:${address.port}`,
    cut,
    async [Symbol.asyncDispose]() {
      server.close()
      cut()
    },
  }
}
