/** Events that wait for a consumer: order, bounds, and how an iteration ends. */
import { describe, expect, test } from 'bun:test'
import { createEventBuffer } from '../../../src/client/following/event-buffer.ts'
import type { LiveEvent } from '../../../src/client/following/live-event.ts'

const live = (version: number): LiveEvent => ({ type: 'live', version })
const partial = (role: 'human' | 'ai', text: string): LiveEvent => ({ type: 'partial', role, text })

function bufferOf(given: { characters?: number; events?: number } = {}) {
  let drained = 0
  const buffer = createEventBuffer({
    characters: 100,
    events: 3,
    ...given,
    onDrained: () => {
      drained += 1
    },
  })
  return { buffer, drained: () => drained }
}

describe('an event buffer', () => {
  test('gives events in order, to a consumer that waits as to one that comes later', async () => {
    const { buffer } = bufferOf()
    const waiting = buffer.next()
    buffer.push(live(1), 1)
    buffer.push(live(2), 1)
    expect(await waiting).toEqual({ done: false, value: live(1) })
    expect(await buffer.next()).toEqual({ done: false, value: live(2) })
  })

  test('is full by characters or by events, keeps what is pushed all the same, and says when it is drained', async () => {
    const { buffer, drained } = bufferOf()
    buffer.push(live(1), 100)
    expect(buffer.isFull()).toBe(true)
    buffer.push(live(2), 0)
    await buffer.next()
    expect([buffer.isFull(), drained()]).toEqual([false, 0])
    await buffer.next()
    expect(drained()).toBe(1)
    for (let n = 0; n < 3; n += 1) buffer.push(live(n), 0)
    expect(buffer.isFull()).toBe(true)
  })

  test('keeps the latest words of each speaker only', async () => {
    const { buffer } = bufferOf()
    buffer.push(partial('human', 'one'), 90)
    buffer.push(partial('ai', 'two'), 5)
    buffer.push(partial('human', 'three'), 5)
    expect(buffer.isFull()).toBe(false)
    expect(await buffer.next()).toEqual({ done: false, value: partial('ai', 'two') })
    expect(await buffer.next()).toEqual({ done: false, value: partial('human', 'three') })
  })

  test('that ends gives what is in it first', async () => {
    const { buffer } = bufferOf()
    buffer.push(live(1), 1)
    buffer.end()
    buffer.push(live(2), 1)
    expect(await buffer.next()).toEqual({ done: false, value: live(1) })
    expect(await buffer.next()).toEqual({ done: true, value: undefined })
  })

  test('that is stopped drops what is in it, and throws its failure once', async () => {
    const { buffer } = bufferOf()
    const reason = new Error('enough')
    buffer.push(live(1), 1)
    buffer.stop({ reason })
    buffer.stop({ reason: new Error('later') })
    expect(await buffer.next().catch((thrown) => thrown)).toBe(reason)
    expect(await buffer.next()).toEqual({ done: true, value: undefined })
  })

  test('that is stopped rejects the first of those who wait, and ends the others', async () => {
    const { buffer } = bufferOf()
    const reason = new Error('enough')
    const waiting = [buffer.next(), buffer.next()]
    buffer.stop({ reason })
    const outcomes = await Promise.allSettled(waiting)
    expect(outcomes).toEqual([
      { status: 'rejected', reason },
      { status: 'fulfilled', value: { done: true, value: undefined } },
    ])
  })
})
