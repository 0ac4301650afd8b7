/** The live socket of a service without settings: with the embedded database and without Redis. */
import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Copy, LiveClient } from '../support/live/live.ts'
import { createConversations, startNode } from '../support/servers/node.ts'
import { until } from '../support/servers/processes.ts'

const directory = mkdtempSync(join(tmpdir(), 'turnlog-live-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const TURNLOG_DATA = join(directory, 'data')
const turn = (text: string) => ({ user: { text }, assistant: { responses: [`${text}!`] } })

async function record(client: LiveClient, c: string, key: string) {
  client.send({ t: 'record', id: key, key, c, turn: turn(key) })
  return await client.until('recorded', ({ id }) => id === key)
}

test('a subscriber resumes from its cursor after a restart of the embedded database', async () => {
  const copies = new Map<string, Copy>()
  let c = ''
  for (const life of [0, 1]) {
    await using node = await startNode({ TURNLOG_DATA })
    if (life === 0) [c = ''] = await createConversations(node.url, 1)
    const cursor = copies.get(c)?.cursor
    const query = cursor === undefined ? '' : `&cursor=${cursor}`
    const writer = new LiveClient(node)
    await writer.opened
    // Each life of the service records one turn without a reader, and one with a reader.
    if (life > 0) await record(writer, c, `${life}-before`)
    const reader = new LiveClient(node, `?conversation=${c}${query}`, { copies })
    await reader.until('live')
    const { version } = await record(writer, c, `${life}-live`)
    await reader.reaches(c, version)
    // A retry of a turn that the life before recorded is a replay.
    if (life > 0)
      expect(await record(writer, c, `${life - 1}-live`)).toMatchObject({ replayed: true })
    node.kill('SIGTERM')
    await node.exited
    await until('the reader is closed', () => reader.closed !== undefined)
  }
  const copy = copies.get(c)
  expect(copy?.resets).toEqual([])
  expect(copy?.state.messages.map(({ content }) => content)).toEqual(
    ['0-live', '1-before', '1-live'].flatMap((text) => [text, `${text}!`]),
  )
}, 60_000)
