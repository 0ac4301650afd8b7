/**
 * One socket floods the service from a process of its own, while other clients record and read.
 * `FLOODS=ping bun test test/live/flood.test.ts` runs one kind of flood. The test prints how long
 * calls took.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { type FloodReport, floodKinds } from '../support/live/flood.ts'
import { type NeighbourReport, neighbours, type Waits } from '../support/live/neighbours.ts'
import { createConversations, type Node, startNode } from '../support/servers/node.ts'
import { testDatabaseUrl } from '../support/servers/postgres.ts'

const kinds = process.env['FLOODS']?.split(',') ?? floodKinds

/** The floods that close their socket. The service slows down the others by back-pressure. */
const closing = ['ping', 'pong', 'pong-frame', 'auth']
const closingMs = 10_000
const lastingMs = 2000

let node: Node
let ids: string[]
let calm: NeighbourReport
const table: string[] = []

const printed = ({ p50, p99, max, count }: Waits) =>
  `${p50} / ${p99} / ${max} (${count})`.padEnd(28)

function note(kind: string, { record, history, live }: NeighbourReport, end: string): void {
  table.push(`  ${kind.padEnd(12)} ${[record, history, live].map(printed).join(' ')} ${end}`)
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
      'Milliseconds that other clients wait while one socket floods: p50 / p99 / max (calls)',
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

/** The bounds are relative to the calm run, because a busy machine is slow in both. */
function expectUnharmed(name: string, now: Waits, before: Waits): void {
  expect(now.p50, `${name} p50`).toBeLessThan(Math.max(250, 5 * before.p50))
  expect(now.p99, `${name} p99`).toBeLessThan(Math.max(1500, 8 * before.p99))
}

describe('a flooding socket', () => {
  for (const kind of floodKinds.filter((one) => kinds.includes(one)))
    test(`a flood of ${kind} does not slow down other clients`, async () => {
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
      // A flood of frames with answers exceeds the credit.
      else if (closeCode !== null) expect([1002, 1009, 4101, 4103, 4105]).toContain(closeCode)
    }, 60_000)
})
