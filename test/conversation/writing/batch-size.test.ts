/** How large batches are, by how many there are who send turns. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { BatchSize } from '../../../src/conversation/writing/batch-size.ts'

/** `callers` who send a turn as soon as theirs is recorded, in at most two batches at a time. */
function run(callers: number, bound: number, batches: number, overlaps = true) {
  const size = new BatchSize(bound, overlaps)
  const away: number[] = []
  const sizes: number[] = []
  let waiting = callers
  while (sizes.length < batches) {
    const turnsMax = size.of(waiting)
    const isWorthIt = waiting > 0 && (away.length === 0 || (away.length < 2 && waiting >= turnsMax))
    if (isWorthIt) {
      const turns = Math.min(waiting, turnsMax)
      size.sent(turns)
      away.push(turns)
      sizes.push(turns)
      waiting -= turns
    } else {
      const turns = away.shift() ?? 0
      size.back(turns)
      waiting += turns
    }
  }
  for (const turns of away) size.back(turns)
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
    for (let batches = 0; batches < 100; batches += 1) {
      size.sent(1)
      size.back(1)
    }
    expect(size.of(1)).toBe(128)
  })
})
