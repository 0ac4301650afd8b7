/** How large batches are, by how many there are who send turns. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createBatchSize } from '../../../src/conversation/writing/batch-size.ts'

/** `callers` who send a turn as soon as theirs is recorded, in at most two batches at a time. */
function run(callers: number, turnsMax: number, batches: number, overlaps = true) {
  const size = createBatchSize(turnsMax, overlaps)
  const away: { turns: number; back: () => void }[] = []
  const sizes: number[] = []
  let waiting = callers
  while (sizes.length < batches) {
    const most = size.of(waiting)
    const isWorthIt = waiting > 0 && (away.length === 0 || (away.length < 2 && waiting >= most))
    if (isWorthIt) {
      const turns = Math.min(waiting, most)
      away.push({ turns, back: size.sent(turns, () => {}) })
      sizes.push(turns)
      waiting -= turns
    } else {
      const first = away.shift()
      first?.back()
      waiting += first?.turns ?? 0
    }
  }
  for (const { back } of away) back()
  return { sizes, size }
}

describe('a batch', () => {
  test('holds all who wait, where they are few', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), (callers) => {
        expect(new Set(run(callers, 128, 20).sizes)).toEqual(new Set([callers]))
      }),
    )
  })

  test('holds half of a crowd, so that the other half can be answered meanwhile', () => {
    fc.assert(
      fc.property(fc.integer({ min: 64, max: 256 }), (callers) => {
        const halves = [Math.floor(callers / 2), Math.ceil(callers / 2)]
        for (const turns of run(callers, 128, 50).sizes) expect(halves).toContain(turns)
      }),
    )
  })

  test('holds all who wait where the database holds the thread', () => {
    expect(new Set(run(128, 128, 20, false).sizes)).toEqual(new Set([128]))
  })

  test('never holds more than its bound', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        fc.integer({ min: 1, max: 200 }),
        (callers, turnsMax) => {
          expect(Math.max(...run(callers, turnsMax, 50).sizes)).toBeLessThanOrEqual(turnsMax)
        },
      ),
    )
  })

  test('is whole again some time after the crowd has left', () => {
    const { size } = run(200, 128, 10)
    expect(size.of(1)).toBe(100)
    for (let batches = 0; batches < 100; batches += 1) size.sent(1, () => {})()
    expect(size.of(1)).toBe(128)
  })

  test('that is back twice counts once', () => {
    const size = createBatchSize(128)
    let times = 0
    const back = size.sent(100, () => {
      times += 1
    })
    back()
    back()
    expect(times).toBe(1)
    expect(size.of(100)).toBe(50)
  })
})
