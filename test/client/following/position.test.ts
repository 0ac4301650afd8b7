/** Position: which changes a subscription accepts, and where it starts again. */
import { describe, expect, test } from 'bun:test'
import { Position } from '../../../src/client/following/position.ts'
import type { ChangeFrame } from '../../../src/client/wire/client-frames.ts'
import { conversationId as c, createTruth } from '../../support/live/peer.ts'

const truth = createTruth([
  { kind: 'message' },
  { kind: 'message' },
  { kind: 'touch', which: 0 },
  { kind: 'message' },
])

const change = (from: number, version: number, snapshot?: true): ChangeFrame => ({
  t: 'change',
  c,
  ...truth.change(from, version),
  ...(snapshot === undefined ? {} : { snapshot }),
})

/** Ids of the messages of an event. */
const idsOf = (event: ReturnType<Position['accept']>) =>
  typeof event === 'object' && event.type === 'change' ? event.messages.map(({ id }) => id) : event

describe('Position', () => {
  test('the position of a subscription accepts changes in order and restarts after the last one', () => {
    const position = new Position({ cursor: truth.cursor(1), version: 1 })
    expect(position.start()).toEqual({ cursor: 'cursor-1' })
    expect(position.accept(change(1, 3))).toMatchObject({
      type: 'change',
      snapshot: false,
      from: 1,
    })
    expect(position.accept(change(3, 4))).toMatchObject({ version: 4 })
    expect([position.version, position.start()]).toEqual([4, { cursor: 'cursor-4' }])
  })

  test('the position of a subscription ignores a change that it has, and trims a change that overlaps it', () => {
    const position = new Position({ cursor: truth.cursor(2), version: 2 })
    expect(position.accept(change(1, 2))).toBe('old')
    const overlapping = position.accept(change(1, 3))
    expect(overlapping).toMatchObject({ from: 2, version: 3 })
    // The first message has not changed since version 2.
    expect(idsOf(overlapping)).toEqual(['m2'])
  })

  test('the position of a subscription reports a gap before a change, unless the change is a snapshot', () => {
    const position = new Position({ cursor: truth.cursor(1), version: 1 })
    expect(position.accept(change(2, 3))).toBe('gap')
    expect(position.start()).toEqual({ cursor: 'cursor-1' })
    expect(position.accept(change(0, 4, true))).toMatchObject({ snapshot: true, version: 4 })
  })

  test('the position of a subscription with a tail accepts nothing before its snapshot, and ignores a cursor confirmed before it', () => {
    const position = new Position({ tail: 2 })
    position.confirm('cursor-1')
    expect(position.start()).toEqual({ tail: 2 })
    expect(position.accept(change(1, 2))).toBe('gap')
    expect(position.accept(change(0, 3, true))).toMatchObject({ version: 3 })
    expect(position.start()).toEqual({ cursor: 'cursor-3' })
  })

  test('the position of a subscription without a cursor starts at the cursor that the service confirms', () => {
    const position = new Position({})
    expect(position.start()).toEqual({})
    position.confirm('cursor-4')
    expect(position.start()).toEqual({ cursor: 'cursor-4' })
    expect(position.reach(4)).toBe(true)
    expect(position.version).toBe(4)
  })

  test('the position of a subscription does not reach a version while an earlier change is missing', () => {
    const position = new Position({ cursor: truth.cursor(3), version: 3 })
    expect(position.reach(4)).toBe(false)
    expect(position.reach(3)).toBe(true)
    expect(new Position({ tail: 1 }).reach(1)).toBe(false)
  })

  test('the position of a subscription ignores a version that was given without a cursor', () => {
    expect(new Position({ version: 7 }).version).toBeUndefined()
  })
})
