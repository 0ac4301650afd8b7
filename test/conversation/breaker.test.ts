import { describe, expect, test } from 'bun:test'
import { createBreaker } from '../../src/conversation/breaker.ts'
import { until } from '../support/processes.ts'

/** How long the breaker was open each time, where the store fails again as soon as it is asked again. */
async function outages(count: number): Promise<number[]> {
  const lasted: number[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  let openedAt = 0
  const fail = () => {
    for (let n = 0; n < 5; n += 1) breaker.failed('late')
  }
  const breaker = createBreaker({
    probe: () => Promise.resolve(),
    heal: () => Promise.resolve(),
    onOpen() {
      openedAt = performance.now()
    },
    onClose() {
      lasted.push(performance.now() - openedAt)
      if (lasted.length === count) resolve()
      else fail()
    },
  })
  fail()
  await promise
  breaker.stop()
  return lasted
}

describe('a breaker', () => {
  test('gives a store that fails again at once longer and longer to recover', async () => {
    const [first = 0, , , fourth = 0] = await outages(4)
    expect(first).toBeGreaterThan(90)
    expect(fourth).toBeGreaterThan(790)
  })

  test('takes calls that end at one moment for one failure: a stall of this process ends many', async () => {
    const { promise: opened, resolve } = Promise.withResolvers<unknown>()
    const breaker = createBreaker({
      probe: () => Promise.resolve(),
      heal: () => Promise.resolve(),
      apartMs: 5,
      onOpen: resolve,
      onClose() {},
    })
    for (let n = 0; n < 100; n += 1) breaker.failed('late')
    expect(breaker.closed).toBe(true)
    for (let n = 0; n < 4; n += 1) {
      const at = performance.now()
      await until('a moment has passed', () => performance.now() - at > 6)
      expect(breaker.closed).toBe(true)
      breaker.failed('late')
    }
    expect(await opened).toBe('late')
    expect(breaker.closed).toBe(false)
    breaker.stop()
  })
})
