/** Questions that come a few at a time, round after round of the event loop, and when they are asked. */
import { describe, expect, test } from 'bun:test'
import { whenGathered } from '../../../src/conversation/reading/gather.ts'

const round = () => new Promise((resolve) => setImmediate(resolve))

/** So many come in each round, one after the other; answers how many were there when they were asked. */
async function gathered(coming: readonly number[]): Promise<number> {
  let waiting = 1
  let asked: number | undefined
  whenGathered(
    () => waiting,
    () => {
      asked = waiting
    },
  )
  for (const count of coming) {
    waiting += count
    await round()
  }
  // One round more than are waited for.
  for (let rounds = 0; rounds < 11 && asked === undefined; rounds += 1) await round()
  return asked ?? Number.NaN
}

describe('questions are gathered', () => {
  test('for a single round where nobody else comes', async () => {
    expect(await gathered([0, 5])).toBe(1)
  })

  test('as long as others come', async () => {
    expect(await gathered([2, 3, 1, 0, 9])).toBe(7)
  })

  test('for ten rounds, however many come', async () => {
    expect(await gathered(Array.from({ length: 30 }, () => 1))).toBe(11)
  })
})
