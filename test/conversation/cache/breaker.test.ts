import { describe, expect, test } from 'bun:test'
import { createBreaker, within } from '../../../src/conversation/cache/breaker.ts'
import { isStarved, usableNow } from '../../../src/mechanics/loop-delay.ts'
import { until } from '../../support/servers/processes.ts'

/** Milliseconds of each outage, if the KV fails again as soon as the breaker closes. */
async function outages(count: number): Promise<number[]> {
  const lasted: number[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  let openedAt = 0
  // On a starved process the breaker opens only after a longer row of failures.
  const fail = () => {
    breaker.failed('late')
    if (breaker.closed) setTimeout(fail, 1)
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

describe('Breaker', () => {
  test('a KV that fails again at once gets a longer time to recover after each failure', async () => {
    const [first = 0, , , fourth = 0] = await outages(4)
    expect(first).toBeGreaterThan(90)
    expect(fourth).toBeGreaterThan(790)
  })

  test('failed KV calls of one moment count as one failure, because a stall of this process ends many calls', async () => {
    const { promise: opened, resolve } = Promise.withResolvers<unknown>()
    const breaker = createBreaker({
      probe: () => Promise.resolve(),
      heal: () => Promise.resolve(),
      // Long enough for a hundred calls on a busy machine.
      apartMs: 100,
      onOpen: resolve,
      onClose() {},
    })
    for (let n = 0; n < 100; n += 1) breaker.failed('late')
    expect(breaker.closed).toBe(true)
    for (let n = 0; n < 4; n += 1) {
      const at = usableNow()
      await until('a moment has passed', () => usableNow() - at > 110)
      expect(breaker.closed).toBe(true)
      breaker.failed('late')
    }
    expect(await opened).toBe('late')
    expect(breaker.closed).toBe(false)
    breaker.stop()
  })

  test('one pause of the KV counts as one failure, whatever the number of calls that wait through it', async () => {
    const breaker = idleBreaker()
    const askedAt = usableNow()
    for (let n = 0; n < 100; n += 1) breaker.failed('late', askedAt)
    expect(breaker.closed).toBe(true)
    for (let n = 0; n < 100 && breaker.closed; n += 1) {
      const askedAt = usableNow()
      await within(new Promise(() => {}), 15).catch(() => {})
      breaker.failed('late', askedAt)
    }
    expect(breaker.closed).toBe(false)
    breaker.stop()
  })

  test('the breaker of a starved process stays closed while the KV answers late, and opens if it is silent', async () => {
    const breaker = idleBreaker()
    const starve = () => {
      for (const endsAt = performance.now() + 40; performance.now() < endsAt; );
    }
    for (let n = 0; n < 20; n += 1) {
      const askedAt = usableNow()
      const late = within(new Promise(() => {}), 15).catch(() => {})
      for (let turn = 0; turn < 5; turn += 1) {
        starve()
        await new Promise((resolve) => setTimeout(resolve, 0))
      }
      breaker.answered(400)
      await late
      expect(isStarved()).toBe(true)
      breaker.failed('late', askedAt)
    }
    expect(breaker.closed).toBe(true)
    // Answers that are too late for a reader still end the row of failures on a starved process.
    for (let n = 0; n < 10; n += 1) {
      breaker.failed('late', usableNow())
      breaker.answered(40)
    }
    expect(breaker.closed).toBe(true)
    for (let n = 0; n < 100 && breaker.closed; n += 1) {
      breaker.failed('late', usableNow())
      await within(new Promise(() => {}), 15).catch(() => {})
    }
    expect(breaker.closed).toBe(false)
    breaker.stop()
  }, 20_000)

  test('the breaker opens at the first refusal of a write, and reports the refusal until it closes', async () => {
    const opened: unknown[] = []
    const { promise: closed, resolve } = Promise.withResolvers<void>()
    let isRefusing = true
    let healed = 0
    const breaker = createBreaker({
      probe: () => (isRefusing ? Promise.reject('refused') : Promise.resolve()),
      heal: async () => {
        healed += 1
      },
      isRefusal: (reason) => reason === 'refused',
      onOpen: (reason) => opened.push(reason),
      onClose: resolve,
    })
    expect(breaker.refusesWrites).toBe(false)
    for (let n = 0; n < 3; n += 1) breaker.refused('refused')
    expect([breaker.closed, breaker.refusesWrites, healed]).toEqual([false, true, 0])
    isRefusing = false
    await closed
    expect([breaker.closed, breaker.refusesWrites, healed]).toEqual([true, false, 1])
    expect(opened).toEqual(['refused'])
    breaker.stop()
  })

  test('an open breaker reports when a silent KV begins to refuse writes, and when it is silent again', async () => {
    const opened: unknown[] = []
    let answer = 'silent'
    const breaker = createBreaker({
      probe: () => Promise.reject(answer),
      heal: () => Promise.resolve(),
      isRefusal: (reason) => reason === 'refused',
      onOpen: (reason) => opened.push(reason),
      onClose() {},
    })
    await until('the breaker opens', () => {
      breaker.failed('silent')
      return !breaker.closed
    })
    expect(breaker.refusesWrites).toBe(false)
    answer = 'refused'
    await until('the breaker reports the refusal', () => breaker.refusesWrites)
    answer = 'silent'
    await until('the breaker reports the silence', () => !breaker.refusesWrites)
    expect(opened).toEqual(['silent', 'refused'])
    breaker.stop()
  })
})

const idleBreaker = () =>
  createBreaker({
    probe: () => Promise.reject('away'),
    heal: () => Promise.resolve(),
    slowMs: 15,
    onOpen() {},
    onClose() {},
  })
