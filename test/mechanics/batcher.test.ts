/**
 * Tests of Batcher: which questions share a call, when it is made, and which questions a failure
 * rejects.
 */
import { describe, expect, test } from 'bun:test'
import { Batcher, type BatcherOptions } from '../../src/mechanics/batcher.ts'

const round = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Rounds of the event loop after which gathering has ended. */
const settled = async () => {
  for (let rounds = 0; rounds < 15; rounds += 1) await round()
}

type Batch = {
  readonly questions: readonly string[]
  answer(): void
  fail(thrown: unknown): void
}

/** A batcher whose batches the test answers: each question with its own text in capitals. */
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
  return { batcher, batches, questions: () => batches.map(({ questions }) => questions) }
}

const named = (count: number, first = 0) =>
  Array.from({ length: count }, (_, index) => `q${first + index}`)

describe('the gathering of a batcher', () => {
  /**
   * The number of questions in the first batch, if one is asked and then `coming[n]` more in round
   * n.
   */
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

  test('a lone question waits for one round of the event loop', async () => {
    expect(await gathered([0, 5])).toBe(1)
  })

  test('a batch gathers questions while each round of the event loop brings another one', async () => {
    expect(await gathered([2, 3, 1, 0, 9])).toBe(7)
  })

  test('a batch gathers questions for at most ten rounds of the event loop', async () => {
    expect(await gathered(Array.from({ length: 30 }, () => 1))).toBe(11)
  })

  test('a batch gathers questions for at most the number of rounds in the options', async () => {
    expect(await gathered([2, 3, 1], 1)).toBe(3)
  })
})

describe('a batch', () => {
  test('a batch keeps the order of its questions, and each question gets its own answer', async () => {
    const { batcher, batches, questions } = batcherOf()
    const answers = Promise.all(['b', 'a', 'c'].map((one) => batcher.ask(one)))
    await settled()
    expect(questions()).toEqual([['b', 'a', 'c']])
    batches[0]?.answer()
    expect(await answers).toEqual(['B', 'A', 'C'])
  })

  test('a question that several callers ask is in a batch once', async () => {
    const { batcher, batches, questions } = batcherOf()
    const answers = Promise.all(['a', 'b', 'a', 'a'].map((one) => batcher.ask(one)))
    await settled()
    expect(questions()).toEqual([['a', 'b']])
    batches[0]?.answer()
    expect(await answers).toEqual(['A', 'B', 'A', 'A'])
  })

  test('a question that is asked during a batch in flight joins the next batch, even if it is the same', async () => {
    const { batcher, batches, questions } = batcherOf()
    const first = batcher.ask('a')
    await settled()
    const later = Promise.all(['a', 'b'].map((one) => batcher.ask(one)))
    await settled()
    expect(questions()).toEqual([['a']])
    batches[0]?.answer()
    expect(await first).toBe('A')
    await settled()
    expect(questions()).toEqual([['a'], ['a', 'b']])
    batches[1]?.answer()
    expect(await later).toEqual(['A', 'B'])
  })

  test('a batch of questions has at most batchMax of them, the oldest first', async () => {
    const { batcher, batches, questions } = batcherOf({ batchMax: 2 })
    const answers = Promise.all(named(5).map((one) => batcher.ask(one)))
    for (let sent = 1; sent <= 3; sent += 1) {
      await settled()
      expect(batches).toHaveLength(sent)
      batches[sent - 1]?.answer()
    }
    expect(questions()).toEqual([['q0', 'q1'], ['q2', 'q3'], ['q4']])
    expect(await answers).toEqual(named(5).map((one) => one.toUpperCase()))
  })

  test('a failed batch rejects only the questions in it', async () => {
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

  test('if `ask` throws for a batch of questions, only the questions of that batch are rejected', async () => {
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

  test('a batch with too few answers rejects the questions that have no answer', async () => {
    const { batcher } = batcherOf({ ask: async ([first = '']) => [first] })
    const [first, second] = [batcher.ask('a'), batcher.ask('b').catch(String)]
    expect([await first, await second]).toEqual([
      'a',
      'RangeError: The batch has fewer answers than questions',
    ])
  })
})

describe('batches in flight', () => {
  test('the number of full batches in flight is at most maxInFlight', async () => {
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

  test('maxFullInFlight allows more full batches in flight', async () => {
    const { batcher, batches, questions } = batcherOf({
      maxInFlight: 1,
      maxFullInFlight: Number.POSITIVE_INFINITY,
      batchMax: 3,
    })
    const answers = Promise.all(named(10).map((one) => batcher.ask(one)))
    await settled()
    // The tenth question waits: a batch that is not full is sent only if none is in flight.
    expect(questions()).toEqual([named(3), named(3, 3), named(3, 6)])
    for (const { answer } of batches.slice(0, 3)) answer()
    await settled()
    batches[3]?.answer()
    expect((await answers).at(-1)).toBe('Q9')
  })

  test('a second batch of questions that is not full is sent only after lingerMs', async () => {
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

  test('a batch of questions is sent at once if no other batch is in flight', async () => {
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
