/** The inbox and the budget of a socket, with bursts of frames and the real clock. */
import { describe, expect, test } from 'bun:test'
import { costlyFactor, FrameBudget, weightOf } from '../../../src/live/socket/frame-budget.ts'
import { Inbox } from '../../../src/live/socket/inbox.ts'
import { LoopShare } from '../../../src/mechanics/loop-share.ts'
import { until } from '../../support/servers/processes.ts'

function inboxOf(framesPerSecond: number, options: { sliceMs?: number; busyMs?: number } = {}) {
  const { sliceMs = 1000, busyMs = 0 } = options
  const taken: string[] = []
  const reading: ('paused' | 'resumed')[] = []
  let floods = 0
  const failures: unknown[] = []
  const share = new LoopShare(sliceMs, (cause) => failures.push(cause))
  const inbox = new Inbox(
    { framesPerSecond, share },
    {
      take(sent) {
        const end = performance.now() + busyMs
        while (performance.now() < end);
        if (typeof sent === 'string') taken.push(sent)
      },
      flooded() {
        floods += 1
      },
    },
    {
      pauseReading: () => reading.push('paused'),
      resumeReading: () => reading.push('resumed'),
      together: (work) => work(),
    },
  )
  const send = (count: number, text = '') => {
    for (let n = 0; n < count; n += 1) inbox.message(`${text}${n}`, performance.now())
  }
  return { inbox, taken, reading, send, floods: () => floods, failures }
}

describe('FrameBudget', () => {
  test('a frame counts once against the budget of its socket, and once more for each KiB', () => {
    expect([0, 1, 1023, 1024, 135_168].map(weightOf)).toEqual([1, 1, 1, 2, 133])
  })

  test('the frame budget of a socket holds the frames of one second, and earns as many in each second', () => {
    const budget = new FrameBudget(100, 0)
    for (let n = 0; n < 100; n += 1) budget.spend(1, 0)
    expect(budget.isInDebt).toBe(false)
    budget.spend(1, 0)
    expect(budget.isInDebt).toBe(true)
    expect(budget.handleMs(0, 0)).toBe(20)
    budget.spend(0, 60_000)
    for (let n = 0; n < 100; n += 1) budget.spend(1, 60_000)
    expect(budget.isInDebt).toBe(false)
  })

  test('a debt of two seconds of the frame budget is a flood, and one frame alone never is', () => {
    const budget = new FrameBudget(100, 0)
    // The second frame is the largest possible one, and refused.
    expect([budget.spend(16_384, 0), budget.spend(16_384 * costlyFactor, 0)]).toEqual([true, true])
    for (let n = 0; n < 101; n += 1) expect(budget.spend(1, 0)).toBe(true)
    expect(budget.spend(1, 0)).toBe(false)
  })
})

describe('frames that arrive faster than the budget', () => {
  test('frames above the budget are handled later, in order, while the socket is not read', async () => {
    const { taken, reading, send, floods } = inboxOf(200)
    send(550)
    const atOnce = taken.length
    expect(atOnce).toBeGreaterThanOrEqual(200)
    expect(atOnce).toBeLessThan(550)
    expect(reading).toEqual(['paused'])
    await until('all frames are handled', () => taken.length === 550)
    await until('the socket is read again', () => reading.length === 2)
    expect(taken).toEqual(Array.from({ length: 550 }, (_, n) => `${n}`))
    expect([reading, floods()]).toEqual([['paused', 'resumed'], 0])
  })

  test('a flood of frames is reported once, and no later frame is handled', async () => {
    const { taken, send, floods } = inboxOf(100)
    send(1000)
    expect(floods()).toBe(1)
    const handled = taken.length
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(taken.length).toBe(handled)
  })

  test('pings above the budget pause the socket at once', async () => {
    const { inbox, reading, floods } = inboxOf(100)
    for (let n = 0; n < 250; n += 1) inbox.control(performance.now())
    expect([reading, inbox.isPaused, floods()]).toEqual([['paused'], true, 0])
    await until('the socket is read again', () => reading.length === 2)
    for (let n = 0; n < 1000; n += 1) inbox.control(performance.now())
    expect(floods()).toBe(1)
  })

  test('slow frames within the budget wait for the next rounds of the event loop', async () => {
    const { taken, reading, send } = inboxOf(10_000, { sliceMs: 2, busyMs: 0.5 })
    send(100)
    expect(taken.length).toBeLessThan(20)
    let rounds = 0
    while (taken.length < 100) {
      await new Promise((resolve) => setImmediate(resolve))
      rounds += 1
    }
    expect(rounds).toBeGreaterThan(3)
    await until('the socket is read again', () => reading.length === 2)
    expect(taken).toEqual(Array.from({ length: 100 }, (_, n) => `${n}`))
  })

  test('waiting frames are dropped when their socket closes', async () => {
    const { inbox, taken, send } = inboxOf(100)
    send(200)
    inbox.close()
    const handled = taken.length
    await new Promise((resolve) => setTimeout(resolve, 100))
    send(1)
    expect(taken.length).toBe(handled)
  })
})
