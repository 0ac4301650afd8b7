/**
 * A process with Bun's own WebSockets and nothing else. A socket at `/follow` gets the body of each
 * POST. A socket at `/greet?bytes=<n>` gets one frame of n bytes when it opens. Any other socket
 * gets nothing. The process prints its port.
 */
const server = Bun.serve<{ readonly path: string; readonly bytes: number }>({
  port: 0,
  hostname: '127.0.0.1',
  async fetch(request, server) {
    const { pathname: path, searchParams } = new URL(request.url)
    const data = { path, bytes: Number(searchParams.get('bytes') ?? 0) }
    if (server.upgrade(request, { data })) return undefined
    server.publish('all', await request.text())
    return new Response(null, { status: 204 })
  },
  websocket: {
    idleTimeout: 0,
    open(socket) {
      if (socket.data.path === '/follow') socket.subscribe('all')
      if (socket.data.path === '/greet') socket.send('x'.repeat(socket.data.bytes))
    },
    message() {},
  },
})
process.stdout.write(`${server.port}\n`)
