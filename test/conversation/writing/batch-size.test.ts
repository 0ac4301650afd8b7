/** The size of batches for a number of concurrent callers. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { BatchSize } from '../../../src/conversation/writing/batch-size.ts'

/**
 * Runs batches for `callers`, each of whom sends a turn as soon as the last one is recorded. Two
 * batches are in flight at most.
 */
function run(callers: number, bound: number, batches: number, overlaps = true) {
  const size = new BatchSize(bound, overlaps)
  const inFlight: number[] = []
  const sizes: number[] = []
  let waiting = callers
  while (sizes.length < batches) {
    const turnsMax = size.of(waiting)
    const isWorthIt =
      waiting > 0 && (inFlight.length === 0 || (inFlight.length < 2 && waiting >= turnsMax))
    if (isWorthIt) {
      const turns = Math.min(waiting, turnsMax)
      size.sent(turns)
      inFlight.push(turns)
      sizes.push(turns)
      waiting -= turns
    } else {
      const turns = inFlight.shift() ?? 0
      size.back(turns)
      waiting += turns
    }
  }
  for (const turns of inFlight) size.back(turns)
  return { sizes, size }
}

describe('BatchSize', () => {
  test('a batch has the turns of all waiting callers if they are few', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), (callers) => {
        expect(new Set(run(callers, 128, 20).sizes)).toEqual(new Set([callers]))
      }),
    )
  })

  test('a batch has half of the turns of many callers, so that the other half can be answered meanwhile', () => {
    fc.assert(
      fc.property(fc.integer({ min: 64, max: 256 }), (callers) => {
        const halves = [Math.floor(callers / 2), Math.ceil(callers / 2)]
        for (const turns of run(callers, 128, 50).sizes) expect(halves).toContain(turns)
      }),
    )
  })

  test('a batch has the turns of all waiting callers if the database works in this thread', () => {
    expect(new Set(run(128, 128, 20, false).sizes)).toEqual(new Set([128]))
  })

  test('a batch never has more turns than its bound', () => {
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

  test('a batch has all waiting turns again some batches after the number of callers fell', () => {
    const { size } = run(200, 128, 10)
    expect(size.of(1)).toBe(100)
    for (let batches = 0; batches < 100; batches += 1) {
      size.sent(1)
      size.back(1)
    }
    expect(size.of(1)).toBe(128)
  })
})
