/**
 * The batches that the group commit sends, and their times, without a database and without a clock.
 */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  type Batch,
  type QueueOptions,
  TurnQueue,
} from '../../../src/conversation/writing/turn-queue.ts'
import { mistakes } from '../../support/writing/queue-mistakes.ts'
import {
  type Mistake,
  type ModelTurn,
  options,
  QueueWorld,
  type Step,
} from '../../support/writing/queue-model.ts'

const nothing = { locked: [], unsettled: [] }

type TurnOptions = { readonly bytes?: number; readonly key?: string; readonly id?: string }

/** A turn of conversation `c` that is submitted at `since`. */
const turnOf = (c: string, since = 0, { bytes = 10, key, id }: TurnOptions = {}): ModelTurn => ({
  turn: {
    bytes,
    row: { conversationId: c, key: key ?? null, callerIds: id === undefined ? null : [id] },
  },
  since,
  n: 0,
})

type Bounds = Partial<QueueOptions['bounds']>

const queueWith = (bounds: Bounds = {}, waitMs = options.waitMs) =>
  new TurnQueue<ModelTurn>({ ...options, bounds: { ...options.bounds, ...bounds }, waitMs })

function add(queue: TurnQueue<ModelTurn>, ...turns: ModelTurn[]): void {
  for (const turn of turns) expect(queue.add(turn)).toBe(true)
}

/** The batch that is due now. The test fails if there is none. */
function sent(queue: TurnQueue<ModelTurn>, now = 0): Batch<ModelTurn> {
  const batch = queue.next(now)
  if (batch === undefined) throw new Error('no batch is due')
  return batch
}

describe('a batch of the queue', () => {
  test('a batch has all turns that arrived while another was in flight', () => {
    const queue = queueWith()
    const [a, b, c] = [turnOf('a'), turnOf('b'), turnOf('c')]
    add(queue, a)
    const first = sent(queue)
    expect(first.turns).toEqual([a])
    add(queue, b, c)
    expect(queue.next(0)).toBeUndefined()
    expect(queue.isGathering).toBe(true)
    queue.answered(first)
    expect(sent(queue).turns).toEqual([b, c])
  })

  test('a batch is sent beside one in flight once it is full or has waited for 25 ms', () => {
    const queue = queueWith({ batchTurnsMax: 2 })
    add(queue, turnOf('a'))
    const first = sent(queue)
    add(queue, turnOf('b'))
    expect(queue.next(24)).toBeUndefined()
    expect(queue.next(25)?.turns).toHaveLength(1)
    queue.finished(first, nothing, 25)
    add(queue, turnOf('c', 25), turnOf('d', 25))
    expect(queue.next(25)?.turns).toHaveLength(2)
  })

  test('a batch of turns has an equal share of every waiting conversation', () => {
    const queue = queueWith({ batchTurnsMax: 4 })
    add(queue, ...Array.from({ length: 5 }, () => turnOf('a')), turnOf('b'), turnOf('c'))
    const { turns } = sent(queue)
    expect(turns.map(({ turn }) => turn.row.conversationId)).toEqual(['a', 'b', 'c'])
  })

  test('a batch of turns stays within its bound of bytes, unless it is a single turn', () => {
    const queue = queueWith({ batchBytesMax: 25, lanes: 4 })
    add(queue, turnOf('a', 0, { bytes: 90 }), turnOf('b'), turnOf('c'), turnOf('d'))
    expect(sent(queue, 25).turns).toHaveLength(1)
    expect(sent(queue, 25).turns).toHaveLength(2)
    expect(sent(queue, 25).turns).toHaveLength(1)
  })

  test('a batch never has two turns with one key or one id', () => {
    const queue = queueWith()
    const turns = [{ key: 'k' }, { id: 'i' }, { key: 'k' }, { id: 'i' }, {}]
    add(queue, ...turns.map((turnOptions) => turnOf('a', 0, turnOptions)))
    const first = sent(queue)
    expect(first.turns).toHaveLength(2)
    queue.finished(first, nothing, 0)
    expect(sent(queue).turns).toHaveLength(3)
  })

  test('a batch of turns waits while the maximum number of batches is in flight', () => {
    const queue = queueWith({ lanes: 2, batchTurnsMax: 1 })
    add(queue, turnOf('a'), turnOf('b'), turnOf('c'))
    const first = sent(queue)
    sent(queue)
    expect(queue.next(1000)).toBeUndefined()
    queue.answered(first)
    expect(sent(queue).turns).toHaveLength(1)
  })

  test('a batch of turns that is reported as answered twice lets one further batch be sent, not two', () => {
    const queue = queueWith({ lanes: 2, batchTurnsMax: 1 })
    add(queue, ...['a', 'b', 'c', 'd'].map((c) => turnOf(c)))
    const first = sent(queue)
    expect(queue.answered(first)).toBe(true)
    expect(queue.answered(first)).toBe(false)
    queue.finished(first, nothing, 0)
    sent(queue)
    sent(queue)
    expect(queue.next(1000)).toBeUndefined()
  })
})

describe('a conversation in the queue', () => {
  test('a conversation is in at most one batch until that batch is finished', () => {
    const queue = queueWith()
    add(queue, turnOf('a'))
    const first = sent(queue)
    add(queue, turnOf('a'))
    queue.answered(first)
    expect(queue.next(1000)).toBeUndefined()
    expect(queue.isGathering).toBe(false)
    queue.finished(first, nothing, 0)
    expect(sent(queue).turns).toHaveLength(1)
  })

  test('the turns of a locked conversation are sent again in a call of their own, in their order', () => {
    const queue = queueWith()
    const [one, two, three] = [turnOf('a'), turnOf('a'), turnOf('a')]
    add(queue, one, two)
    const batch = sent(queue)
    add(queue, three, turnOf('b'))
    queue.finished(batch, { locked: [one, two], unsettled: [] }, 0)
    expect(sent(queue)).toMatchObject({
      wait: false,
      turns: [{ turn: { row: { conversationId: 'b' } } }],
    })
    expect(sent(queue)).toMatchObject({ wait: true, turns: [one, two, three] })
  })

  test('a locked conversation without a free waiting call goes into an ordinary batch after lookAgain', () => {
    const queue = queueWith()
    const turns = ['a', 'b', 'c'].map((c) => turnOf(c))
    add(queue, ...turns)
    queue.finished(sent(queue), { locked: turns, unsettled: [] }, 0)
    expect([sent(queue).wait, sent(queue).wait]).toEqual([true, true])
    expect(queue.next(1000)).toBeUndefined()
    expect(queue.hasLocked).toBe(true)
    queue.lookAgain()
    expect(queue.hasLocked).toBe(false)
    expect(sent(queue)).toMatchObject({ wait: false, turns: [turns[2]] })
  })

  test('a conversation with a turn of unknown outcome is in no batch, and its locked turns are sent first once that turn is settled', () => {
    const queue = queueWith()
    const [one, two, three] = [turnOf('a'), turnOf('a'), turnOf('a')]
    add(queue, one, two)
    const batch = sent(queue)
    add(queue, three)
    queue.finished(batch, { locked: [two], unsettled: [one] }, 0)
    queue.lookAgain()
    expect(queue.next(1000)).toBeUndefined()
    expect(queue.isEmpty).toBe(false)
    queue.settled('a', 0)
    expect(sent(queue)).toMatchObject({ wait: true, turns: [two, three] })
  })

  test('a conversation whose batch is finished keeps its later turns', () => {
    const queue = queueWith()
    add(queue, turnOf('a'))
    const batch = sent(queue)
    const later = turnOf('a')
    add(queue, later)
    queue.finished(batch, nothing, 0)
    expect(sent(queue).turns).toEqual([later])
  })
})

describe('TurnQueue', () => {
  test('the turn queue accepts turns and bytes up to its bounds, and turns in flight do not count', () => {
    const queue = queueWith({ waitingTurnsMax: 2, waitingBytesMax: 25 })
    add(queue, turnOf('a'))
    expect(queue.add(turnOf('b', 0, { bytes: 16 }))).toBe(false)
    add(queue, turnOf('b'))
    expect(queue.add(turnOf('c', 0, { bytes: 1 }))).toBe(false)
    expect(sent(queue).turns).toHaveLength(2)
    add(queue, turnOf('c', 0, { bytes: 25 }))
  })

  test('the turn queue refuses turns that waited too long, and searches for them every 250 ms', () => {
    const queue = queueWith({ lanes: 0 }, 1000)
    const [one, two] = [turnOf('a', 0), turnOf('a', 100)]
    add(queue, one, two)
    queue.sweep(900)
    queue.sweep(1000)
    expect(queue.takeRefused()).toEqual([])
    queue.sweep(1150)
    expect(queue.takeRefused()).toEqual([
      { turn: one, code: 'overloaded' },
      { turn: two, code: 'overloaded' },
    ])
    expect(queue.takeRefused()).toEqual([])
    expect(queue.isEmpty).toBe(true)
    add(queue, turnOf('a', 1150))
  })

  test('the turn queue refuses the overdue turns of a locked conversation with conversation-busy', () => {
    const queue = queueWith({}, 1000)
    const [one, two, three] = [turnOf('a', 0), turnOf('a', 400), turnOf('a', 600)]
    add(queue, one)
    const batch = sent(queue)
    add(queue, two, three)
    queue.finished(batch, { locked: [one], unsettled: [] }, 1400)
    expect(queue.takeRefused()).toEqual([
      { turn: one, code: 'conversation-busy' },
      { turn: two, code: 'conversation-busy' },
    ])
    expect(sent(queue, 1400).turns).toEqual([three])
  })

  test('the turn queue is empty once every turn is decided', () => {
    const queue = queueWith()
    expect(queue.isEmpty).toBe(true)
    add(queue, turnOf('a'))
    const batch = sent(queue)
    queue.answered(batch)
    expect(queue.isEmpty).toBe(false)
    queue.finished(batch, nothing, 0)
    expect(queue.isEmpty).toBe(true)
  })
})

const answer = fc.constantFrom(
  ...(['recorded', 'recorded', 'locked', 'half-locked', 'unsettled', 'half-unsettled'] as const),
)
const maybe = (max: number) => fc.option(fc.nat({ max }), { nil: undefined, freq: 3 })

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant('submit' as const),
      c: fc.nat({ max: 4 }),
      bytes: fc.constantFrom(1, 1, 10, 40, 120),
      key: maybe(2),
      id: maybe(2),
    }),
  },
  { weight: 6, arbitrary: fc.constant({ type: 'dispatch' as const }) },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('pass' as const),
      ms: fc.constantFrom(5, 30, 300, 900),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('answer' as const), batch: fc.nat(3) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('finish' as const),
      batch: fc.nat(3),
      answers: fc.array(answer, { maxLength: 4 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('settle' as const), conversation: fc.nat(3) }),
  },
  { weight: 1, arbitrary: fc.constant({ type: 'look' as const }) },
)

const holds = (mistake?: Mistake) =>
  fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) =>
    new QueueWorld(mistake).run(steps),
  )

test('the turn queue keeps every rule of the model in random schedules', () => {
  fc.assert(holds(), { numRuns: 5000 })
}, 60_000)

/**
 * Every seed finds each mistake. This seed finds it by one of the rules in the list of mistakes.
 */
const seed = 1

describe('the model of the queue', () => {
  for (const [name, { rules, make }] of Object.entries(mistakes))
    test(`the model of the queue finds the mistake: ${name}`, () => {
      const found = fc.check(holds(make), { numRuns: 20_000, endOnFailure: true, seed })
      expect(found.failed).toBe(true)
      expect(rules.map((rule) => `Error: ${rule}`)).toContain(String(found.errorInstance))
    }, 60_000)
})
