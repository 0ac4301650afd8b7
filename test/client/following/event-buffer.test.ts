/** EventBuffer: the order of events, its bounds, and the end of an iteration. */
import { describe, expect, test } from 'bun:test'
import { createEventBuffer } from '../../../src/client/following/event-buffer.ts'
import type { LiveEvent } from '../../../src/client/following/live-event.ts'

const live = (version: number): LiveEvent => ({ type: 'live', version })
const partial = (role: 'human' | 'ai', text: string): LiveEvent => ({ type: 'partial', role, text })

function bufferOf(bounds: { characters?: number; events?: number } = {}) {
  let drained = 0
  const buffer = createEventBuffer({
    characters: 100,
    events: 3,
    ...bounds,
    onDrained: () => {
      drained += 1
    },
  })
  return { buffer, drained: () => drained }
}

describe('EventBuffer', () => {
  test('events of an event buffer arrive in order, at a consumer that waits for them and at one that asks later', async () => {
    const { buffer } = bufferOf()
    const waiting = buffer.next()
    buffer.push(live(1), 1)
    buffer.push(live(2), 1)
    expect(await waiting).toEqual({ done: false, value: live(1) })
    expect(await buffer.next()).toEqual({ done: false, value: live(2) })
  })

  test('an event buffer is full by characters or by events, stores events above the bound, and reports when it is empty again', async () => {
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

  test('an event buffer stores only the latest partial of each speaker', async () => {
    const { buffer } = bufferOf()
    buffer.push(partial('human', 'one'), 90)
    buffer.push(partial('ai', 'two'), 5)
    buffer.push(partial('human', 'three'), 5)
    expect(buffer.isFull()).toBe(false)
    expect(await buffer.next()).toEqual({ done: false, value: partial('ai', 'two') })
    expect(await buffer.next()).toEqual({ done: false, value: partial('human', 'three') })
  })

  test('an ended event buffer first yields its stored events', async () => {
    const { buffer } = bufferOf()
    buffer.push(live(1), 1)
    buffer.end()
    buffer.push(live(2), 1)
    expect(await buffer.next()).toEqual({ done: false, value: live(1) })
    expect(await buffer.next()).toEqual({ done: true, value: undefined })
  })

  test('a stopped event buffer drops its stored events and throws its failure once', async () => {
    const { buffer } = bufferOf()
    const reason = new Error('enough')
    buffer.push(live(1), 1)
    buffer.stop({ reason })
    buffer.stop({ reason: new Error('later') })
    expect(await buffer.next().catch((thrown) => thrown)).toBe(reason)
    expect(await buffer.next()).toEqual({ done: true, value: undefined })
  })

  test('a stopped event buffer rejects the first waiting consumer and ends the iteration of the others', async () => {
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
