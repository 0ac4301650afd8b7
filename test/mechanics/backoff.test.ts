/** Tests of backoff: the bounds and the spread of the waits. */
import { describe, expect, test } from 'bun:test'
import { boundMs, equalJitterMs, fullJitterMs, pause } from '../../src/mechanics/backoff.ts'

const backoff = { firstMs: 100, maxMs: 1500 }
const failures = [0, 1, 2, 3, 4, 5, 2000]
const bounds = [100, 200, 400, 800, 1500, 1500, 1500]

/** The waits of many callers after the same number of failures. */
const waitsOf = (wait: typeof boundMs, failed: number) =>
  Array.from({ length: 500 }, () => wait(backoff, failed))

describe('a backoff', () => {
  test('the bound of a backoff doubles with every failure, up to its maximum', () => {
    expect(failures.map((failed) => boundMs(backoff, failed))).toEqual(bounds)
  })

  test.each([
    { name: 'full', wait: fullJitterMs, least: 0 },
    { name: 'equal', wait: equalJitterMs, least: 0.5 },
  ])(
    'the $name jitter spreads waits between $least of the bound and the bound',
    ({ wait, least }) => {
      for (const [n, failed] of failures.entries()) {
        const bound = bounds[n] ?? 0
        const waits = waitsOf(wait, failed)
        expect(Math.min(...waits)).toBeGreaterThanOrEqual(least * bound)
        expect(Math.max(...waits)).toBeLessThanOrEqual(bound)
        // All 500 waits are in the same half of the range once in 2 ** 499 runs.
        const middle = ((1 + least) / 2) * bound
        expect(waits.some((ms) => ms < middle) && waits.some((ms) => ms > middle)).toBe(true)
      }
    },
  )

  test('a backoff with a first wait of 0 ms never waits', () => {
    expect(equalJitterMs({ firstMs: 0, maxMs: 100 }, 20)).toBe(0)
  })
})

describe('a pause', () => {
  test('a pause ends after its time', async () => {
    const begun = performance.now()
    await pause(20, new AbortController().signal)
    expect(performance.now() - begun).toBeGreaterThanOrEqual(19)
  })

  test('a pause rejects with the reason of its signal, before and during the wait', async () => {
    const reason = new Error('enough')
    const controller = new AbortController()
    const waiting = pause(60_000, controller.signal)
    controller.abort(reason)
    expect(await waiting.catch((thrown) => thrown)).toBe(reason)
    expect(await pause(0, controller.signal).catch((thrown) => thrown)).toBe(reason)
  })
})
