/** WriteQueues without a socket and a journal: when each job is sent, and how it settles. */
import { describe, expect, test } from 'bun:test'
import { type Job, WriteQueues } from '../../../src/client/recording/write-queues.ts'
import { createCreditGate } from '../../../src/client/socket/credit-gate.ts'
import { Problem } from '../../../src/problem.ts'
import { until } from '../../support/servers/processes.ts'

const limits = { frameBytes: 1000, subscriptions: 8, framesPerSecond: 100 }

function createQueues() {
  const sent: string[] = []
  let isOpen = true
  let frames = 0
  const queues = new WriteQueues({
    backoff: { firstMs: 0, maxMs: 0 },
    newFrameId: () => {
      frames += 1
      return String(frames)
    },
    send: (text) => {
      if (isOpen) sent.push(text)
      return isOpen
    },
    onWelcomed: () => {},
    isWanted: () => false,
  })
  return {
    queues,
    sent,
    close: () => {
      isOpen = false
    },
    welcome: (frames = 8) => queues.welcomed(createCreditGate({ frames, bytes: 10_000 }), limits),
  }
}

/** A job whose frame is its name, with its outcomes. */
function jobOf(conversationId: string, name: string, members: Partial<Job> = {}) {
  const outcomes: unknown[] = []
  const job: Job = {
    conversationId,
    frame: (id) => `${name}#${id}`,
    onlyOnce: false,
    ready: true,
    settled: (outcome) => outcomes.push(outcome instanceof Problem ? outcome.code : outcome.t),
    dropped: (reason) => outcomes.push(reason),
    ...members,
  }
  return { job, outcomes }
}

const recorded = (id: string) =>
  ({
    t: 'recorded',
    id,
    c: 'a',
    version: 2,
    cursor: 'x',
    replayed: false,
    humanMessageId: null,
    assistantMessageId: null,
    segmentVersion: null,
  }) as never
const refused = (id: string, code: ConstructorParameters<typeof Problem>[0]) =>
  ({ t: 'problem', id, ...new Problem(code).body() }) as never

describe('WriteQueues', () => {
  test('the queue of writes of a conversation sends one frame at a time, and the next one after the answer', () => {
    const { queues, sent, welcome } = createQueues()
    const [one, two, other] = [jobOf('a', 'one'), jobOf('a', 'two'), jobOf('b', 'other')]
    for (const { job } of [one, two, other]) queues.add(job)
    expect(sent).toEqual([])
    welcome()
    expect(sent).toEqual(['one#1', 'other#2'])
    expect(queues.receive(recorded('1'))).toBe(true)
    expect(one.outcomes).toEqual(['recorded'])
    expect(sent.at(-1)).toBe('two#3')
  })

  test('a write that is not ready holds back all later writes of its conversation', () => {
    const { queues, sent, welcome } = createQueues()
    const first = jobOf('a', 'first', { ready: false })
    queues.add(first.job)
    queues.add(jobOf('a', 'second').job)
    welcome()
    expect(sent).toEqual([])
    first.job.ready = true
    queues.pump()
    expect(sent).toEqual(['first#1'])
  })

  test('a write added with addFirst is sent before all waiting writes of its conversation', () => {
    const { queues, sent, welcome } = createQueues()
    queues.add(jobOf('a', 'turn').job)
    queues.addFirst(jobOf('a', 'session').job)
    welcome()
    expect(sent).toEqual(['session#1'])
  })

  test('a job without an answer is sent again over the next connection, unless it may be sent only once', () => {
    const { queues, sent, welcome } = createQueues()
    const [turn, attach] = [jobOf('a', 'turn'), jobOf('b', 'attach', { onlyOnce: true })]
    queues.add(turn.job)
    queues.add(attach.job)
    welcome()
    queues.lost()
    expect([turn.outcomes, attach.outcomes]).toEqual([[], ['outcome-unknown']])
    welcome()
    expect(sent).toEqual(['turn#1', 'attach#2', 'turn#3'])
    expect(queues.receive(recorded('1'))).toBe(true)
    expect(turn.outcomes).toEqual([])
  })

  test('a job with a retryable refusal is sent again, and one with a final refusal is settled', async () => {
    const { queues, sent, welcome } = createQueues()
    const [busy, wrong] = [jobOf('a', 'busy'), jobOf('b', 'wrong')]
    queues.add(busy.job)
    queues.add(wrong.job)
    welcome()
    queues.receive(refused('1', 'overloaded'))
    queues.receive(refused('2', 'time-ahead'))
    expect([busy.outcomes, wrong.outcomes]).toEqual([[], ['time-ahead']])
    await until('sent again', () => sent.at(-1) === 'busy#3')
  })

  test('an unsure answer settles a job that may be sent only once as outcome-unknown', () => {
    const { queues, welcome } = createQueues()
    const attach = jobOf('a', 'attach', { onlyOnce: true })
    queues.add(attach.job)
    welcome()
    queues.receive(refused('1', 'internal'))
    expect(attach.outcomes).toEqual(['outcome-unknown'])
  })

  test('a frame above the service limit is refused with frame-too-large, and the one behind it is sent', () => {
    const { queues, sent, welcome } = createQueues()
    const large = jobOf('a', 'x'.repeat(2000))
    queues.add(large.job)
    queues.add(jobOf('a', 'small').job)
    welcome()
    expect(large.outcomes).toEqual(['frame-too-large'])
    expect(sent).toEqual(['small#2'])
  })

  test('the queues of writes send no more frames than the credit allows, and none over a closed socket', () => {
    const { queues, sent, welcome, close } = createQueues()
    for (const c of ['a', 'b', 'c']) queues.add(jobOf(c, c).job)
    welcome(2)
    expect(sent).toEqual(['a#1', 'b#2'])
    close()
    queues.receive(recorded('1'))
    expect(sent.length).toBe(2)
  })

  test('the queues of writes are empty once the last write is settled, removed or dropped', async () => {
    const { queues, welcome } = createQueues()
    const [one, two, three] = [jobOf('a', 'one'), jobOf('b', 'two'), jobOf('c', 'three')]
    for (const { job } of [one, two, three]) queues.add(job)
    let isEmpty = false
    const empty = queues.empty().then(() => {
      isEmpty = true
    })
    welcome()
    queues.receive(recorded('1'))
    queues.remove(two.job)
    await Promise.resolve()
    expect([queues.busy(), isEmpty]).toEqual([true, false])
    queues.close('closed')
    await empty
    const late = jobOf('a', 'late')
    queues.add(late.job)
    expect([three.outcomes, late.outcomes, queues.busy()]).toEqual([['closed'], ['closed'], false])
  })

  test('the queues of writes do not take frames that answer no write', () => {
    const { queues, welcome } = createQueues()
    welcome()
    expect(queues.receive({ t: 'live', c: 'a', version: 1 })).toBe(false)
    expect(queues.receive(refused('99', 'overloaded'))).toBe(false)
    // The queues take the answer to a job that was dropped.
    expect(queues.receive(recorded('99'))).toBe(true)
  })
})
