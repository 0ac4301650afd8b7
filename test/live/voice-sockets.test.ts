/**
 * Random schedules of spoken turns over the sockets of two nodes, which are cut, compared with a
 * model.
 */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import fc from 'fast-check'
import { Counts } from '../support/voice/voice-frames.ts'
import { openNodes, type VoiceNodes } from '../support/voice/voice-nodes.ts'
import { type Faults, Run } from '../support/voice/voice-run.ts'
import { schedule } from '../support/voice/voice-schedule.ts'

const runs = Number(process.env['SCHEDULES'] ?? 40)

let bench: VoiceNodes
beforeAll(async () => {
  bench = await openNodes()
}, 60_000)
afterAll(() => bench[Symbol.asyncDispose]())

function holds(counts: Counts, faults: Faults = {}) {
  let foreign: string | undefined
  return fc.asyncProperty(schedule, async (schedule) => {
    const created = await bench.nodes[0]?.ask('POST', '/v1/conversations', {})
    const c = String(created?.body['id'])
    counts.count('schedules')
    foreign = (await new Run(bench, c, { faults, counts, foreign }).play(schedule)) ?? foreign
  })
}

test('spoken turns keep their seq, words, audio and heard part over cut sockets and retries', async () => {
  const counts = new Counts()
  await fc.assert(holds(counts), { numRuns: runs })
  console.log(`Spoken turns over sockets:\n${counts.table}`)
  expect(counts.of('schedules')).toBe(runs)
}, 1_200_000)
