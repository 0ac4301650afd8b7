/**
 * Random schedules for several sockets on two nodes: bursts of frames that are sent at the same
 * time.
 */
import fc from 'fast-check'
import type { Cut } from './voice-speaker.ts'
import { type Lapse, lapseStep, requestStep, type Step } from './voice-steps.ts'

export const turns = 5
export const speakers = 3

export type Move = {
  readonly socket: number
  /** A step, or the number of an earlier step to repeat. */
  readonly what: Step | number
  readonly cut: Cut | null
}

export type Burst = {
  readonly moves: readonly Move[]
  readonly lapse: Lapse | null
  /** A watcher that loses its socket, and the node at which it connects again. */
  readonly drop: { readonly watcher: number; readonly node: number } | null
}

export type Schedule = readonly Burst[]

const node = fc.nat(1)
// Most words are equal. Otherwise most halves would contradict each other.
const words = fc.constantFrom(0, 0, 0, 1, 2)
const socket = fc.nat(speakers - 1)

const seldom = <T>(arbitrary: fc.Arbitrary<T>, weight = 1): fc.Arbitrary<T | null> =>
  fc.oneof({ weight: 8, arbitrary: fc.constant(null) }, { weight, arbitrary })

const cut: fc.Arbitrary<Cut> = fc.record({
  moment: fc.constantFrom('at once', 'in progress', 'in progress', 'unanswered'),
  node,
})

const move: fc.Arbitrary<Move> = fc.record({
  socket,
  what: fc.oneof(
    { weight: 5, arbitrary: requestStep(turns, words) },
    { weight: 1, arbitrary: fc.nat(99) },
  ),
  cut: seldom(cut, 2),
})

/** The halves of a turn from two sockets at once, with or without its seat before them. */
const halves = fc
  .record({
    ...{ key: fc.nat(turns - 1), user: words, assistant: words },
    ...{ first: socket, by: fc.nat(speakers - 2), opens: fc.boolean() },
    cuts: fc.tuple(seldom(cut, 3), seldom(cut, 3)),
  })
  .map(({ key, user, assistant, first, by, opens, cuts }): readonly Move[] => {
    const second = (first + 1 + by) % speakers
    const open: Move = { socket: first, what: { do: 'open', key }, cut: null }
    const what = { do: 'complete', key } as const
    return [
      ...(opens ? [open] : []),
      { socket: first, what: { ...what, user, assistant: null }, cut: cuts[0] },
      { socket: second, what: { ...what, user: null, assistant }, cut: cuts[1] },
    ]
  })

const burst: fc.Arbitrary<Burst> = fc.record({
  moves: fc.oneof(
    { weight: 3, arbitrary: fc.array(move, { minLength: 1, maxLength: 5, size: 'max' }) },
    { weight: 1, arbitrary: halves },
  ),
  lapse: seldom(lapseStep),
  drop: seldom(fc.record({ watcher: fc.nat(1), node })),
})

export const schedule: fc.Arbitrary<Schedule> = fc.array(burst, {
  minLength: 3,
  maxLength: 9,
  size: 'max',
})
