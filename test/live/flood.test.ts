/**
 * One socket that sends as fast as it can, from a process of its own, while others record and read. To
 * see a single kind: `FLOODS=ping bun test test/live/flood.test.ts`, which prints what everybody waited.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { type FloodReport, floodKinds } from '../support/live/flood.ts'
import { type NeighbourReport, neighbours, type Waits } from '../support/live/neighbours.ts'
import { createConversations, type Node, startNode } from '../support/servers/node.ts'
import { testDatabaseUrl } from '../support/servers/postgres.ts'

const wanted = process.env['FLOODS']?.split(',') ?? floodKinds

/** A socket is closed for these. Of the others it is read as fast as they may come. */
const closing = ['ping', 'pong', 'pong-frame', 'auth']
const closingMs = 10_000
const lastingMs = 2000

let node: Node
let ids: string[]
let calm: NeighbourReport
const table: string[] = []

const told = ({ p50, p99, max, count }: Waits) => `${p50} / ${p99} / ${max} (${count})`.padEnd(28)

function note(kind: string, { record, history, live }: NeighbourReport, end: string): void {
  table.push(`  ${kind.padEnd(12)} ${[record, history, live].map(told).join(' ')} ${end}`)
}

const watch = (over: Promise<unknown>) => {
  const [recorded = '', read = '', spoken = ''] = ids
  return neighbours(node.url, [recorded, read, spoken], over)
}

beforeAll(async () => {
  node = await startNode({ DATABASE_URL: await testDatabaseUrl() })
  ids = await createConversations(node.url, 4)
  await watch(Bun.sleep(500))
  calm = await watch(Bun.sleep(lastingMs))
  note('(none)', calm, '')
}, 120_000)

afterAll(async () => {
  const columns = ['REST record', 'REST history', 'live record'].map((name) => name.padEnd(28))
  console.log(
    [
      'What others wait while one socket floods: p50 / p99 / max in milliseconds (calls)',
      `  ${'flood of'.padEnd(12)} ${columns.join(' ')} the socket`,
      ...table,
    ].join('\n'),
  )
  await node[Symbol.asyncDispose]()
})

async function flooded(kind: string, ms: number): Promise<FloodReport> {
  const program = join(import.meta.dir, '../support/live/flood.ts')
  const child = Bun.spawn([process.execPath, program, node.url, kind, `${ms}`, ids[3] ?? ''], {
    stdout: 'pipe',
    stderr: 'inherit',
  })
  return JSON.parse(await new Response(child.stdout).text())
}

/** Several times what it is without a flood: a busy machine is slow in both. */
function expectUnharmed(name: string, now: Waits, before: Waits): void {
  expect(now.p50, `${name} p50`).toBeLessThan(Math.max(250, 5 * before.p50))
  expect(now.p99, `${name} p99`).toBeLessThan(Math.max(1500, 8 * before.p99))
}

describe('a socket that floods harms no neighbour', () => {
  for (const kind of floodKinds.filter((one) => wanted.includes(one)))
    test(`with ${kind}`, async () => {
      const logged = node.log().length
      const isClosing = closing.includes(kind)
      const flood = flooded(kind, isClosing ? closingMs : lastingMs)
      const report = await watch(flood)
      const { closeCode, byeCode, lastedMs, sent } = await flood
      note(kind, report, `${closeCode ?? 'open'} after ${lastedMs} ms and ${sent} frames`)
      const { record, history, live } = report
      expectUnharmed('REST record', record, calm.record)
      expectUnharmed('REST history', history, calm.history)
      expectUnharmed('live record', live, calm.live)
      expect(report.unready).toEqual([])
      expect(node.log().slice(logged)).not.toMatch(/"(database-lost|cache-lost|cache-skipped)"/)
      if (isClosing) expect([closeCode, byeCode]).toEqual([4105, 4105])
      // By its credit, where its frames are owed an answer.
      else if (closeCode !== null) expect([1002, 1009, 4101, 4103, 4105]).toContain(closeCode)
    }, 60_000)
})
