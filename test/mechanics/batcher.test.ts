/** Batcher: which questions share a call, when it is made, and whom a failure reaches. */
import { describe, expect, test } from 'bun:test'
import { Batcher, type BatcherOptions } from '../../src/mechanics/batcher.ts'

const round = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Rounds of the event loop after which nothing is gathered any more. */
const settled = async () => {
  for (let rounds = 0; rounds < 15; rounds += 1) await round()
}

type Batch = {
  readonly questions: readonly string[]
  answer(): void
  fail(thrown: unknown): void
}

/** A batcher whose batches are answered when the test says so: each question by itself in capitals. */
function batcherOf(options: Partial<BatcherOptions<string, string>> = {}) {
  const batches: Batch[] = []
  const batcher = new Batcher<string, string>({
    nameOf: (question) => question,
    batchMax: 1000,
    maxInFlight: 1,
    ask: (questions) =>
      new Promise((resolve, reject) =>
        batches.push({
          questions,
          answer: () => resolve(questions.map((question) => question.toUpperCase())),
          fail: reject,
        }),
      ),
    ...options,
  })
  return { batcher, batches, asked: () => batches.map(({ questions }) => questions) }
}

const named = (count: number, first = 0) =>
  Array.from({ length: count }, (_, index) => `q${first + index}`)

describe('a batcher gathers questions', () => {
  /** How many questions the first batch holds, where one is asked and then so many more each round. */
  async function gathered(coming: readonly number[], roundsMax?: number): Promise<number> {
    const { batcher, batches } = batcherOf(roundsMax === undefined ? {} : { roundsMax })
    let count = 0
    const ask = () => {
      count += 1
      batcher.ask(`q${count}`).catch(() => {})
    }
    ask()
    for (const more of coming) {
      for (let n = 0; n < more; n += 1) ask()
      await round()
    }
    await settled()
    return batches[0]?.questions.length ?? Number.NaN
  }

  test('for a single round where no other question comes', async () => {
    expect(await gathered([0, 5])).toBe(1)
  })

  test('as long as each round brings more', async () => {
    expect(await gathered([2, 3, 1, 0, 9])).toBe(7)
  })

  test('for ten rounds at most', async () => {
    expect(await gathered(Array.from({ length: 30 }, () => 1))).toBe(11)
  })

  test('for as many rounds as its options say', async () => {
    expect(await gathered([2, 3, 1], 1)).toBe(3)
  })
})

describe('a batch', () => {
  test('holds its questions in the order asked, and answers each its own', async () => {
    const { batcher, batches, asked } = batcherOf()
    const answers = Promise.all(['b', 'a', 'c'].map((one) => batcher.ask(one)))
    await settled()
    expect(asked()).toEqual([['b', 'a', 'c']])
    batches[0]?.answer()
    expect(await answers).toEqual(['B', 'A', 'C'])
  })

  test('asks what many ask once', async () => {
    const { batcher, batches, asked } = batcherOf()
    const answers = Promise.all(['a', 'b', 'a', 'a'].map((one) => batcher.ask(one)))
    await settled()
    expect(asked()).toEqual([['a', 'b']])
    batches[0]?.answer()
    expect(await answers).toEqual(['A', 'B', 'A', 'A'])
  })

  test('takes no question that comes while it is in flight, the same one included: that is the next one', async () => {
    const { batcher, batches, asked } = batcherOf()
    const first = batcher.ask('a')
    await settled()
    const later = Promise.all(['a', 'b'].map((one) => batcher.ask(one)))
    await settled()
    expect(asked()).toEqual([['a']])
    batches[0]?.answer()
    expect(await first).toBe('A')
    await settled()
    expect(asked()).toEqual([['a'], ['a', 'b']])
    batches[1]?.answer()
    expect(await later).toEqual(['A', 'B'])
  })

  test('holds no more questions than its bound, the oldest first', async () => {
    const { batcher, batches, asked } = batcherOf({ batchMax: 2 })
    const answers = Promise.all(named(5).map((one) => batcher.ask(one)))
    for (let sent = 1; sent <= 3; sent += 1) {
      await settled()
      expect(batches).toHaveLength(sent)
      batches[sent - 1]?.answer()
    }
    expect(asked()).toEqual([['q0', 'q1'], ['q2', 'q3'], ['q4']])
    expect(await answers).toEqual(named(5).map((one) => one.toUpperCase()))
  })

  test('that fails fails its own questions only', async () => {
    const { batcher, batches } = batcherOf({ maxInFlight: 2, batchMax: 1 })
    const [first, second] = [batcher.ask('a'), batcher.ask('b')]
    await settled()
    batches[0]?.fail(new Error('away'))
    expect(await first.catch(String)).toBe('Error: away')
    batches[1]?.answer()
    expect(await second).toBe('B')
    const again = batcher.ask('a')
    await settled()
    batches[2]?.answer()
    expect(await again).toBe('A')
  })

  test('that throws in place of a promise fails its own questions only', async () => {
    let isBroken = true
    const { batcher } = batcherOf({
      ask(questions) {
        if (isBroken) throw new TypeError('broken')
        return Promise.resolve(questions)
      },
    })
    expect(await batcher.ask('a').catch(String)).toBe('TypeError: broken')
    isBroken = false
    expect(await batcher.ask('a')).toBe('a')
  })

  test('with too few answers leaves no question without an end', async () => {
    const { batcher } = batcherOf({ ask: async ([first = '']) => [first] })
    const [first, second] = [batcher.ask('a'), batcher.ask('b').catch(String)]
    expect([await first, await second]).toEqual([
      'a',
      'RangeError: The batch has fewer answers than questions',
    ])
  })
})

describe('batches in flight', () => {
  test('are as many as there are maxInFlight, where each is full', async () => {
    const { batcher, batches } = batcherOf({ maxInFlight: 2, batchMax: 3 })
    const answers = Promise.all(named(9).map((one) => batcher.ask(one)))
    await settled()
    expect(batches).toHaveLength(2)
    for (const { answer } of batches) answer()
    await settled()
    expect(batches).toHaveLength(3)
    batches[2]?.answer()
    expect(await answers).toHaveLength(9)
  })

  test('may be more where they are full', async () => {
    const { batcher, batches, asked } = batcherOf({
      maxInFlight: 1,
      maxFullInFlight: Number.POSITIVE_INFINITY,
      batchMax: 3,
    })
    const answers = Promise.all(named(10).map((one) => batcher.ask(one)))
    await settled()
    // The tenth waits: a batch of one goes only where none is in flight.
    expect(asked()).toEqual([named(3), named(3, 3), named(3, 6)])
    for (const { answer } of batches.slice(0, 3)) answer()
    await settled()
    batches[3]?.answer()
    expect((await answers).at(-1)).toBe('Q9')
  })

  test('are joined by one that is not full only after the linger time', async () => {
    const lingerMs = 20
    const sentAt: number[] = []
    const { batcher, batches } = batcherOf({ maxInFlight: 2, lingerMs })
    const ask = async (question: string) => {
      const answer = batcher.ask(question)
      while (sentAt.length < batches.length) sentAt.push(performance.now())
      return await answer
    }
    const first = ask('a')
    await settled()
    const began = performance.now()
    const second = ask('b')
    while (batches.length < 2) await round()
    // The first was sent a little before `began`.
    expect(performance.now() - began).toBeGreaterThan(lingerMs / 2)
    for (const { answer } of batches) answer()
    expect(await Promise.all([first, second])).toEqual(['A', 'B'])
  })

  test('are not waited for once the lane is free', async () => {
    const { batcher, batches } = batcherOf({ maxInFlight: 2, lingerMs: 60_000 })
    const first = batcher.ask('a')
    await settled()
    const second = batcher.ask('b')
    await settled()
    expect(batches).toHaveLength(1)
    batches[0]?.answer()
    await first
    await settled()
    expect(batches).toHaveLength(2)
    batches[1]?.answer()
    expect(await second).toBe('B')
  })
})
