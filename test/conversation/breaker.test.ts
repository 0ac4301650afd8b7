import { describe, expect, test } from 'bun:test'
import { createBreaker } from '../../src/conversation/breaker.ts'

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
})
