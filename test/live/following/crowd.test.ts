/** Many sockets that reconnect to one node at once, and how many database reads they cause. */
import { describe, expect, test } from 'bun:test'
import { openDatabase } from '../../../adapters/open.ts'
import { configWith } from '../../../src/config.ts'
import { encodeCursor } from '../../../src/conversation/wire/ids.ts'
import type { Database } from '../../../src/ports/database.ts'
import { LiveClient } from '../../support/live/live.ts'
import { type TestApp, testApp } from '../../support/servers/app.ts'
import { testDatabaseUrl } from '../../support/servers/postgres.ts'
import { until } from '../../support/servers/processes.ts'

const isLong = process.env['LIVE'] === 'long'
const sockets = isLong ? 5000 : 400

const create = async (app: TestApp) =>
  String((await app.ask('POST', '/v1/conversations', {})).body['id'])
const record = (app: TestApp, c: string, text: string) =>
  app.ask('POST', `/v1/conversations/${c}/turns`, { assistant: { responses: [text] } })

/** A database that counts the reads of each conversation's messages: changes and snapshots. */
async function counted() {
  const url = await testDatabaseUrl()
  const { dataDirectory: directory, ...settings } = configWith().database
  const opened = await openDatabase({ ...settings, url, directory })
  const reads = new Map<string, number>()
  const database: Database = {
    ...opened,
    query(statement, options) {
      const [, id] = statement.params ?? []
      if (
        /^\s*(WITH|SELECT)\b.*conversation_messages/s.test(statement.text) &&
        typeof id === 'string'
      )
        reads.set(id, (reads.get(id) ?? 0) + 1)
      return opened.query(statement, options)
    },
  }
  return { opened, database, reads }
}

describe('a crowd of sockets', () => {
  for (const [what, conversations] of [
    ['one conversation', 1],
    ['many conversations', sockets / 100],
  ] as const)
    test(`sockets that reconnect at once to ${what} share reads, whatever their cursors`, async () => {
      const { opened, database, reads } = await counted()
      await using _ = opened
      await using app = await testApp({ database })
      const server = app.listen({ host: '127.0.0.1', port: 0 })
      const ids: string[] = []
      for (let n = 0; n < conversations; n += 1) ids.push(await create(app))
      for (let n = 0; n < 60; n += 1) await Promise.all(ids.map((c) => record(app, c, `${n}`)))
      const all = async (connect: (n: number) => LiveClient) => {
        reads.clear()
        const began = performance.now()
        const clients = Array.from({ length: sockets }, (_, n) => connect(n))
        for (const client of clients) await client.until('live', undefined, 60_000)
        const seconds = (performance.now() - began) / 1000
        const maxReads = Math.max(0, ...reads.values())
        expect(maxReads).toBeLessThanOrEqual(1 + Math.ceil(seconds))
        if (isLong)
          process.stdout.write(
            `${sockets} sockets reconnected at once to ${what}: live after ${seconds.toFixed(1)} s, at most ${maxReads} reads of one\n`,
          )
        return clients
      }
      const at = (n: number) => ids[n % conversations] ?? ''
      const before = await all((n) => {
        const cursor = encodeCursor(at(n), 1 + ((n * 7) % 60))
        return new LiveClient(server, `?conversation=${at(n)}&cursor=${cursor}`)
      })
      for (const client of before) client.terminate()
      await until('all sockets are closed', () =>
        before.every(({ closed }) => closed !== undefined),
      )
      await Promise.all(ids.map((c) => record(app, c, 'during the disconnect')))
      const after = await all((n) => {
        const copies = before[n]?.copies ?? new Map()
        const cursor = copies.get(at(n))?.cursor
        return new LiveClient(server, `?conversation=${at(n)}&cursor=${cursor}`, { copies })
      })
      await Promise.all(ids.map((c) => record(app, c, 'to all')))
      for (const [n, client] of after.entries()) await client.reaches(at(n), 63)
      for (const client of after) client.close()
      await server.stop(5000)
    }, 240_000)
})
