/** The rule of retries: whether a failed attempt is repeated, and the problem of the call if it is not. */
import { describe, expect, test } from 'bun:test'
import type { Call, Failure } from '../../../src/client/rest/call.ts'
import { failureOf, retryAfterSeconds } from '../../../src/client/rest/problem-answers.ts'
import {
  isUnsure,
  mayRepeat,
  noAnswerProblem,
  withUnknownOutcome,
} from '../../../src/client/rest/retry-rule.ts'
import { Problem, type ProblemCode } from '../../../src/problem.ts'

const read: Call = { method: 'GET', path: '/v1/conversations' }
const named: Call = { method: 'POST', path: '/v1/conversations' }
const unnamed: Call = { ...named, isNamedHere: true }
const once: Call = { method: 'PATCH', path: '/v1/conversations/x', onlyOnce: true }

const answered = (code: ProblemCode, retryable?: boolean): Failure => ({
  problem: new Problem(code, 'detail', retryable === undefined ? {} : { retryable }),
  sending: 'answered',
  waitMs: 0,
})
const lost = (call: Call, sending: 'never' | 'perhaps' | 'impossible'): Failure => ({
  problem: noAnswerProblem(call, 'http://h', new Error('cut'), sending),
  sending,
  waitMs: 0,
})

describe('mayRepeat and isUnsure', () => {
  test.each([
    { name: 'a read whose answer was lost', call: read, failure: lost(read, 'perhaps'), is: true },
    {
      name: 'a named write whose answer was lost',
      call: named,
      failure: lost(named, 'perhaps'),
      is: true,
    },
    {
      name: 'a once-only write whose answer was lost',
      call: once,
      failure: lost(once, 'perhaps'),
      is: false,
    },
    {
      name: 'a once-only write that was never sent',
      call: once,
      failure: lost(once, 'never'),
      is: true,
    },
    {
      name: 'a read that cannot be sent',
      call: read,
      failure: lost(read, 'impossible'),
      is: false,
    },
    {
      name: 'a final refusal',
      call: read,
      failure: answered('conversation-not-found'),
      is: false,
    },
    {
      name: 'a retryable refusal of a once-only write',
      call: once,
      failure: answered('overloaded'),
      is: true,
    },
    { name: 'a fault on a once-only write', call: once, failure: answered('internal'), is: false },
    {
      name: 'an unknown outcome that is not retryable',
      call: named,
      failure: answered('outcome-unknown', false),
      is: true,
    },
  ])('an attempt is repeated only if that is safe: $name', ({ call, failure, is }) => {
    expect(mayRepeat(call, failure, 1)).toBe(is)
  })

  test('a REST call of the client is attempted five times while the service fails', () => {
    const fault = answered('internal')
    expect([1, 4, 5, 6].map((failures) => mayRepeat(read, fault, failures))).toEqual([
      true,
      true,
      false,
      false,
    ])
  })

  test('a REST attempt counts as possibly carried out if its answer was lost or is unsure', () => {
    const failures = [lost(named, 'perhaps'), answered('internal'), answered('outcome-unknown')]
    expect(failures.map(isUnsure)).toEqual([true, true, true])
    expect([lost(named, 'never'), answered('overloaded')].map(isUnsure)).toEqual([false, false])
  })
})

describe('noAnswerProblem and withUnknownOutcome', () => {
  test('a call without an answer fails with service-unreachable, or outcome-unknown if it is a write that was sent', () => {
    const problems = [lost(read, 'perhaps'), lost(named, 'never'), lost(named, 'impossible')]
    expect(problems.map(({ problem }) => [problem.code, problem.retryable])).toEqual([
      ['service-unreachable', true],
      ['service-unreachable', true],
      ['service-unreachable', false],
    ])
    expect(lost(named, 'perhaps').problem).toMatchObject({
      code: 'outcome-unknown',
      retryable: true,
    })
    expect(lost(unnamed, 'perhaps').problem).toMatchObject({ retryable: false })
  })

  test('a write with an unsure attempt fails with outcome-unknown, unless the service finally refused it', () => {
    const busy = new Problem('overloaded')
    expect(withUnknownOutcome(named, busy)).toMatchObject({ code: 'outcome-unknown', cause: busy })
    expect(withUnknownOutcome(read, busy)).toBe(busy)
    const conflict = new Problem('idempotency-conflict')
    expect(withUnknownOutcome(named, conflict)).toBe(conflict)
    const unknown = new Problem('outcome-unknown', 'lost', { retryable: true })
    expect(withUnknownOutcome(named, unknown)).toBe(unknown)
  })
})

describe('failureOf and retryAfterSeconds', () => {
  test('an unsuccessful answer fails with its problem, or with answer-unusable if it has none', () => {
    const body = new Problem('draining').body('r-1')
    const response = new Response('', { status: 503, headers: { 'retry-after': '2' } })
    const failure = failureOf(read, response, body)
    expect(failure).toMatchObject({ sending: 'answered', waitMs: 2000 })
    expect(failure.problem).toMatchObject({ code: 'draining', requestId: 'r-1' })
    for (const [status, sending, retryable] of [
      [404, 'answered', false],
      [429, 'answered', true],
      [500, 'answered', false],
      [502, 'perhaps', true],
    ] as const) {
      const unusable = failureOf(read, new Response('', { status }), undefined)
      expect([status, unusable.sending, unusable.problem.code, unusable.problem.retryable]).toEqual(
        [status, sending, 'answer-unusable', retryable],
      )
    }
  })

  test('the Retry-After header is read as seconds or as a date', () => {
    expect(['3', '0', '-1', 'soon', null].map(retryAfterSeconds)).toEqual([
      3,
      0,
      0,
      undefined,
      undefined,
    ])
    const inTen = retryAfterSeconds(new Date(Date.now() + 10_000).toUTCString()) ?? 0
    expect(inTen).toBeGreaterThan(5)
    expect(inTen).toBeLessThanOrEqual(10)
    expect(retryAfterSeconds(new Date(0).toUTCString())).toBe(0)
  })
})
