/** The stop of a node while a write does not end. */
import { expect, test } from 'bun:test'
import postgres from 'postgres'
import { LiveClient } from '../../support/live/live.ts'
import { testApp } from '../../support/servers/app.ts'
import { testDatabaseUrl } from '../../support/servers/postgres.ts'
import { until } from '../../support/servers/processes.ts'

test('a stopping node closes a socket with a bye although its write does not end', async () => {
  const url = await testDatabaseUrl()
  await using app = await testApp({ overrides: { database: { url } } })
  const server = app.listen({ host: '127.0.0.1', port: 0 })
  const [c, other] = await Promise.all(
    [1, 2].map(async () => String((await app.ask('POST', '/v1/conversations', {})).body['id'])),
  )
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  const client = new LiveClient(server)
  await sql.begin(async (held) => {
    await held`SELECT 1 FROM conversations WHERE id = ${c ?? ''} FOR UPDATE`
    await client.until('welcome')
    const turn = { assistant: { responses: ['held up'] } }
    client.send({ t: 'record', id: '1', key: 'k', c, turn })
    client.send({ t: 'record', id: '2', c: other, turn })
    await client.until('recorded', ({ id }) => id === '2')
    app.drain()
    await server.stop(300)
    await until('the socket is closed', () => client.closed !== undefined)
    expect(client.closed).toEqual({ code: 4200, reason: 'draining' })
    expect(client.frames.at(-1)).toMatchObject({ t: 'bye', code: 4200, retryMs: [0, 8000] })
  })
  await sql.end()
}, 20_000)
