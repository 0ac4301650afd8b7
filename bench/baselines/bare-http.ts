/**
 * A process with Bun's own HTTP server and nothing else. It answers a GET with the number of bytes
 * in its first argument, and a POST of JSON with the JSON it got. It prints its port.
 */
const bytes = Buffer.alloc(Number(process.argv[2] ?? 0), 'x')
const headers = { 'content-type': 'application/json' }
const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  async fetch(request) {
    if (request.method === 'GET') return new Response(bytes, { headers })
    return Response.json(await request.json(), { status: 201 })
  },
})
process.stdout.write(`{"port":${server.port}}\n`)
process.stdin.on('end', () => process.exit(0)).resume()
