/**
 * Readers that stop reading for a long time: the memory that they cost, and that they miss no
 * change.
 */
import { expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { encodeCursor } from '../../../src/conversation/wire/ids.ts'
import { LiveClient } from '../../support/live/live.ts'
import { RawSocket } from '../../support/live/raw-socket.ts'
import { createConversations, startNode } from '../../support/servers/node.ts'
import { testDatabaseUrl } from '../../support/servers/postgres.ts'
import { until } from '../../support/servers/processes.ts'

const isLong = process.env['LIVE'] === 'long'
const readers = isLong ? 20 : 8
const turns = isLong ? 150 : 60
/** The minimum milliseconds without reading. 0 is as long as the turns take. */
const stoppedMs = isLong ? 30_000 : 0
/** A frame has the text twice, because `content` repeats `parts`. */
const text = 'x'.repeat(100_000)
const backlogBytes = turns * text.length * 2

const megabytes = (bytes: number) => Math.round(bytes / 1e6)
const rssOf = (pid: number) =>
  Number(spawnSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }).stdout) * 1024

test('paused readers cost less memory than their backlog, and get every change once afterwards', async () => {
  await using node = await startNode({ DATABASE_URL: await testDatabaseUrl() })
  const [c = ''] = await createConversations(node.url, 1)
  const record = async (n: number) => {
    const response = await fetch(`${node.url}/v1/conversations/${c}/turns`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ assistant: { responses: [`${n} ${text}`] } }),
    })
    expect(response.status).toBe(201)
    await response.body?.cancel()
  }
  // Turns of this size cost memory by themselves, so 20 of them come before the measurement.
  const one = new LiveClient(node, `?conversation=${c}`)
  await one.until('live')
  for (let n = 0; n < 20; n += 1) await record(n)
  await one.reaches(c, 21)
  const path = `/v1/live?conversation=${c}&cursor=${encodeCursor(c, 21)}`
  const stopped = await Promise.all(
    Array.from({ length: readers }, () => RawSocket.open(node.url, path)),
  )
  for (const { texts, socket } of stopped) {
    await until('the reader is live', () => texts.some((frame) => frame.startsWith('{"t":"live"')))
    socket.pause()
  }
  const before = rssOf(node.pid)
  const began = performance.now()
  let maxRss = before
  const head = 21 + turns
  for (let n = 0; n < turns; n += 1) {
    await record(n)
    maxRss = Math.max(maxRss, rssOf(node.pid))
    const due = began + (stoppedMs * (n + 1)) / turns
    await until('the next is due', () => performance.now() >= due, stoppedMs)
  }
  await one.reaches(c, head)
  maxRss = Math.max(maxRss, rssOf(node.pid))
  const stoppedFor = performance.now() - began
  expect(stopped.map(({ closed }) => closed)).not.toContain(true)
  // A queue for each reader would be as large as the backlog.
  expect(maxRss - before).toBeLessThan((readers * backlogBytes) / 4)

  const resumed = performance.now()
  const lasts = stopped.map(() => 21)
  for (const { socket } of stopped) socket.resume()
  const caughtUp = () => {
    for (const [index, { texts }] of stopped.entries())
      for (const frame of texts.splice(0)) {
        if (!frame.startsWith('{"t":"change"')) continue
        const { from, version, messages } = JSON.parse(frame)
        expect(from).toBe(lasts[index])
        // Every version is a turn of one message.
        expect(messages).toHaveLength(version - from)
        lasts[index] = version
      }
    return lasts.every((last) => last === head)
  }
  await until('all readers have caught up', caughtUp, 60_000)
  expect(stopped.map(({ closed }) => closed)).not.toContain(true)
  if (isLong)
    process.stdout.write(
      `${readers} readers paused for ${Math.round(stoppedFor / 1000)} s, ${megabytes(backlogBytes)} MB each behind: the service grew by ${megabytes(maxRss - before)} MB; all caught up in ${Math.round(performance.now() - resumed)} ms\n`,
    )
  for (const { socket } of stopped) socket.destroy()
  one.close()
}, 180_000)
