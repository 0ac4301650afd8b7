/** Failures of a database: the reason, the problem, and whether a retry is safe. */
import { describe, expect, test } from 'bun:test'
import { connectFailure, statementFailure } from '../../../adapters/database/failure.ts'
import { databaseCodeOf, problemOf } from '../../../src/conversation/sql/database-problems.ts'
import { DatabaseError, sqlStateOf } from '../../../src/ports/database.ts'
import { Problem, toProblem } from '../../../src/problem.ts'

const answered = (code: string, message = 'secret', severity = 'ERROR') => ({
  code,
  message,
  severity,
})

/** The problem of a write, as its caller gets it. */
const problem = (thrown: unknown, kind: Parameters<typeof problemOf>[1] = 'write') =>
  toProblem(problemOf(thrown, kind))

describe('a failed statement', () => {
  test.each([
    ['53100', 'database-full'],
    ['25006', 'database-read-only'],
    ['25P04', 'database-slow'],
    ['53200', 'database-refused'],
    ['53300', 'database-refused'],
    ['53400', 'database-refused'],
    ['57014', 'database-refused'],
    ['58030', 'database-refused'],
    ['42501', 'database-refused'],
    ['42P01', 'database-refused'],
    ['42883', 'database-refused'],
    ['28P01', 'database-refused'],
    ['XX001', 'database-refused'],
    ['P0001', 'database-refused'],
    ['57P03', 'database-unavailable'],
    ['55P03', 'conversation-busy'],
    ['40001', 'conversation-busy'],
    ['40P01', 'conversation-busy'],
    ['22021', 'internal'],
    ['23514', 'internal'],
    ['42601', 'internal'],
    ['54000', 'internal'],
  ] as const)('SQLSTATE %s becomes the retryable problem %s', (state, code) => {
    const { body, cause, ...rest } = factsOf(problem(statementFailure(answered(state), 'Postgres')))
    expect([rest.code, body.retryable]).toEqual([code, true])
    expect(JSON.stringify(body)).not.toMatch(new RegExp(`secret|${state}`))
    expect(sqlStateOf(cause)).toBe(state)
  })

  test.each([
    ['57P01', 'outcome-unknown'],
    ['08006', 'outcome-unknown'],
    ['40003', 'outcome-unknown'],
  ] as const)('SQLSTATE %s leaves the outcome of a write unknown', (state, code) => {
    const failure = statementFailure(answered(state, 'secret', 'FATAL'), 'Postgres')
    expect(problem(failure).code).toBe(code)
    expect(problem(failure, 'read').code).toBe('database-unavailable')
  })

  test('a cancelled statement is slow after a deadline or a statement timeout, and otherwise refused', () => {
    const reasonOf = (message: string, isLate?: boolean) =>
      statementFailure(answered('57014', message), 'Postgres', isLate).reason
    expect(reasonOf('canceling statement due to user request', true)).toBe('slow')
    expect(reasonOf('canceling statement due to statement timeout')).toBe('slow')
    expect(reasonOf('canceling statement due to user request')).toBe('refused')
  })

  test('a file that cannot grow means a full disk, whatever the SQLSTATE', () => {
    for (const words of ['No space left on device', 'Disk quota exceeded', 'File too large'])
      expect(
        statementFailure(answered('XX000', `could not extend file "base/5/1": ${words}`), 'it')
          .reason,
      ).toBe('full')
  })
})

describe('a failed connection', () => {
  test('a failed connection is database-unavailable, unless the server answered and refused it', () => {
    expect(problem(connectFailure({ code: 'ECONNREFUSED' }, 'it')).code).toBe(
      'database-unavailable',
    )
    expect(problem(connectFailure(answered('53300'), 'it')).code).toBe('database-refused')
    expect(problem(connectFailure(answered('57P03'), 'it')).code).toBe('database-unavailable')
  })
})

describe('an unknown outcome', () => {
  const lost = new DatabaseError('unknown', 'secret', { reason: 'slow' })

  test('an unknown outcome is retryable only if the request has a key or an id, and its detail explains it', () => {
    const [once, repeatable] = [problem(lost), problem(lost, 'repeatable')]
    expect([once.code, repeatable.code]).toEqual(['outcome-unknown', 'outcome-unknown'])
    expect(once.body()).toMatchObject({ retryable: false })
    expect(once.message).toContain('sending it again may write it twice')
    expect(once.retryAfterSeconds).toBeUndefined()
    expect(repeatable.body()).toMatchObject({ retryable: true })
    expect(repeatable.message).toContain('it is written only once')
    expect(repeatable.retryAfterSeconds).toBe(1)
  })

  test('an unknown outcome of a read becomes the problem of its cause', () => {
    expect(problem(lost, 'read').code).toBe('database-slow')
    expect(problem(new DatabaseError('unknown', 'lost'), 'read').code).toBe('database-unavailable')
  })
})

test('lock waits and faults of the service have no database code', () => {
  for (const state of ['55P03', '40001', '40P01', '22021', '23505', '54000', '42601'])
    expect(databaseCodeOf(statementFailure(answered(state), 'it'))).toBeUndefined()
  expect(databaseCodeOf(new Problem('overloaded'))).toBeUndefined()
})

const factsOf = (one: Problem) => ({ code: one.code, body: one.body(), cause: one })
