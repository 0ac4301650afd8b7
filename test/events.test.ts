/** The log: its levels, its two forms, and the limits that count lines instead of losing them. */
import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { databaseEvents } from '../src/adapter-events.ts'
import { createEvents, eventLevels, type FailedRequest, type LogOptions } from '../src/events.ts'
import { DatabaseError } from '../src/ports/database.ts'
import { Problem } from '../src/problem.ts'
import { until } from './support/servers/processes.ts'

function logged(options: LogOptions = {}) {
  const lines: string[] = []
  const log = createEvents((line) => lines.push(line), options)
  return { log, lines, entries: () => lines.map((line) => JSON.parse(line)) }
}

const failedRequest = (more: Partial<FailedRequest> = {}): FailedRequest => ({
  route: 'POST /v1/conversations',
  ms: 12.5,
  requestId: 'r',
  conversationId: undefined,
  code: 'database-unavailable',
  status: 503,
  cause: undefined,
  ...more,
})

describe('the limits of the log', () => {
  test('25 equal events are written as ten lines and one that counts the other fifteen', async () => {
    const { log, entries } = logged({ windowMs: 100 })
    for (let n = 0; n < 25; n += 1) log.requestUnserved(failedRequest())
    expect(entries()).toHaveLength(10)
    await until('the count is written', () => entries().length === 11)
    expect(entries().at(-1)).toMatchObject({
      event: 'request-unserved',
      level: 'error',
      code: 'database-unavailable',
      leftOut: 15,
      withinMs: 100,
    })
  })

  test('a flood of notices from the database adapter is counted as well', () => {
    const { log, entries } = logged()
    const report = databaseEvents(log, () => {})
    for (let n = 0; n < 25; n += 1) report({ type: 'stale', message: 'a session was given up' })
    log.flush()
    expect(entries()).toHaveLength(11)
    expect(entries().at(-1)).toMatchObject({ event: 'notice', level: 'warn', leftOut: 15 })
  })

  test('a flood of one code leaves the lines of another code free', () => {
    const { log, entries } = logged()
    for (let n = 0; n < 25; n += 1) log.requestUnserved(failedRequest())
    log.requestUnserved(failedRequest({ code: 'overloaded' }))
    expect(entries()).toHaveLength(11)
  })

  test('the log allows ten lines of one event in each time window, and a window without left-out lines writes no count', async () => {
    const { log, entries } = logged({ windowMs: 20 })
    for (let pass = 0; pass < 3; pass += 1) {
      for (let n = 0; n < 10; n += 1) log.socketClosed('too-slow')
      const from = performance.now()
      await until('the window is over', () => performance.now() - from > 40)
    }
    expect(entries()).toHaveLength(30)
    expect(entries().some(({ leftOut }) => leftOut !== undefined)).toBe(false)
  })

  test('`flush` writes the count of left-out lines before the window ends', () => {
    const { log, entries } = logged()
    for (let n = 0; n < 12; n += 1) log.cacheAhead('c', n)
    log.flush()
    expect(entries().at(-1)).toMatchObject({ event: 'cache-ahead', leftOut: 2 })
    log.flush()
    expect(entries()).toHaveLength(11)
  })
})

describe('a line of the log', () => {
  test('a line about a failed request has the code, the SQLSTATE and the reason', () => {
    const { log, entries } = logged()
    const answer = new DatabaseError('refused', 'Postgres answered SQLSTATE 53100', {
      sqlState: '53100',
    })
    const cause = new Problem('database-unavailable', undefined, { cause: answer })
    log.requestUnserved(failedRequest({ cause: cause.cause }))
    log.workFailed('lapses', cause)
    expect(entries()).toEqual([
      expect.objectContaining({
        level: 'error',
        event: 'request-unserved',
        code: 'database-unavailable',
        sqlState: '53100',
        reason: 'Postgres answered SQLSTATE 53100',
        route: 'POST /v1/conversations',
        ms: 12.5,
        requestId: 'r',
      }),
      expect.objectContaining({
        level: 'warn',
        event: 'work-failed',
        work: 'lapses',
        sqlState: '53100',
        reason: 'The database cannot be reached: Postgres answered SQLSTATE 53100',
      }),
    ])
  })

  test('a refusal that protects the service is logged as a warning', () => {
    const { log, entries } = logged()
    for (const code of ['conversation-busy', 'overloaded', 'draining', 'not-ready'])
      log.requestUnserved(failedRequest({ code }))
    expect(entries().map(({ level }) => level)).toEqual(['warn', 'warn', 'warn', 'warn'])
  })

  test('an event below the level of the log is not written', () => {
    for (const [level, events] of [
      ['error', ['head-went-back']],
      ['warn', ['cache-lost', 'head-went-back']],
      ['info', ['cache-lost', 'cache-back', 'head-went-back']],
      ['debug', ['cache-lost', 'cache-back', 'request-refused', 'head-went-back']],
    ] as const) {
      const { log, entries } = logged({ level })
      log.cacheLost('away')
      log.cacheBack()
      const { cause: _, ...refused } = failedRequest({ status: 404, code: 'route-not-found' })
      log.requestRefused(refused)
      log.headWentBack('c', 2, 1)
      expect(entries().map(({ event }) => event)).toEqual([...events])
    }
  })

  test('a log that cannot write throws no error', () => {
    const log = createEvents(() => {
      throw new Error('no more room')
    })
    expect(() => log.stopping('SIGTERM')).not.toThrow()
  })
})

describe('the log as text', () => {
  test('a text line has the time, the level, the event, and its fields as name=value', () => {
    const { log, lines } = logged({ format: 'text' })
    log.requestUnserved(failedRequest({ cause: new Error('it is away') }))
    expect(lines[0]).toMatch(
      /^\d{4}-\d\d-\d\dT[\d:.]+Z ERROR request-unserved code=database-unavailable route="POST \/v1\/conversations" ms=12.5 requestId=r status=503 reason="it is away"$/,
    )
  })

  test('the stack of a fault follows its text line', () => {
    const { log, lines } = logged({ format: 'text' })
    log.requestFailed(failedRequest({ code: 'internal', cause: new TypeError('broken') }))
    const [first, second] = (lines[0] ?? '').split('\n')
    expect(first).toEndWith('error="TypeError: broken"')
    expect(second).toMatch(/^ +at .*events\.test\.ts/)
  })

  test('the causes of a fault follow its text line, one after another', () => {
    const { log, lines } = logged({ format: 'text' })
    const disk = new Error('the disk is gone', { cause: 'EIO\u001b' })
    const cause = new TypeError('broken', { cause: new RangeError('too far', { cause: disk }) })
    log.requestFailed(failedRequest({ code: 'internal', cause }))
    const shown = (lines[0] ?? '').split('\n').filter((line) => !/^ +at /.test(line))
    expect(shown[0]).toEndWith('error="TypeError: broken"')
    expect(shown.slice(1)).toEqual([
      'caused by "RangeError: too far"',
      'caused by "Error: the disk is gone"',
      'caused by "EIO\\u001b"',
    ])
  })

  test('control characters in a text line are escaped', () => {
    const { log, lines } = logged({ format: 'text' })
    log.notice('warn', 'a\u001b[31mb\u009b2Jc\nd\u2028e')
    expect(lines[0]).toEndWith('message="a\\u001b[31mb\\u009b2Jc\\nd\\u2028e"')
  })

  test('a colored line is the text line with escapes around time, level and event', () => {
    const [plain, colored] = [logged({ format: 'text' }), logged({ format: 'coloredText' })]
    for (const { log } of [plain, colored]) {
      log.notice('warn', 'a \u001b[31m b')
      log.databaseLost('gone')
      log.workFailed('lapses', new Error('x'))
    }
    const ansiStart = String.fromCharCode(27)
    for (const [n, line] of colored.lines.entries()) {
      const bare = line.replaceAll(new RegExp(`${ansiStart}\\[\\d+m`, 'g'), '')
      const withoutTime = (text = '') => text.split('\n')[0]?.slice(24)
      expect(withoutTime(bare)).toBe(withoutTime(plain.lines[n]))
    }
    expect(colored.lines[0]).toContain(`${ansiStart}[33mWARN `)
    // An escape of a message stays escaped.
    expect(colored.lines[0]).toContain('\\u001b[31m b')
  })

  test('the event `started` is printed as the addresses of the service', () => {
    const { log, lines } = logged({ format: 'text' })
    const at = { version: '1.2.3', url: 'http://127.0.0.1:3000', database: 'D', cache: 'C' }
    log.started({ ...at, dataDirectory: undefined })
    expect(lines[0]).toBe(
      [
        'Turnlog 1.2.3',
        '  API       http://127.0.0.1:3000/v1/conversations',
        '  Swagger   http://127.0.0.1:3000/swagger',
        '  Health    http://127.0.0.1:3000/readyz',
        '  Database  D',
        '  Cache     C',
      ].join('\n'),
    )
    log.started({ ...at, dataDirectory: '.turnlog' })
    expect(lines[1]).toContain('.turnlog (survives a crash of the process, not of the machine)')
  })
})

test('docs/logs.md explains every event, with its level', () => {
  const page = readFileSync(join(import.meta.dir, '../docs/logs.md'), 'utf8')
  const rows = [...page.matchAll(/^\| `([a-z-]+)` \| (\w+)/gm)].map(([, name, level]) => [
    name,
    level,
  ])
  expect(rows).toEqual(Object.entries(eventLevels))
})
