/** The times of libraries: their names, forms and units, and values that are no times. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { printTime } from '../../../src/conversation/wire/time.ts'
import type { Json } from '../../../src/transfer/formats/json-value.ts'
import { isTimeName, TimeReader } from '../../../src/transfer/formats/message-times.ts'
import { timeOfNumber, timeOfValue } from '../../../src/transfer/formats/time-forms.ts'
import { parseSourced } from '../../../src/transfer/lines/sourced-json.ts'

/** Reads a time from a line. `text` is JSON. */
function timeIn(text: string): string | undefined {
  const json = parseSourced(`{"at":${text}}`)
  const { at } = json.value as { at: unknown }
  const time = timeOfValue(at, json.numberText(json.value as object, 'at'))
  return time === undefined ? undefined : printTime(time)
}

describe('a time', () => {
  test.each([
    ['1716200001', '21.000000'],
    ['1716200001.25', '21.250000'],
    ['1716200001.123456', '21.123456'],
    // As a double it would be …456.
    ['1716200001.123455999999999', '21.123455'],
    ['1.716200001e9', '21.000000'],
    ['1716200001123', '21.123000'],
    ['1716200001123.456', '21.123456'],
    ['1716200001123456', '21.123456'],
    ['1716200001123456789', '21.123456'],
    ['"1716200001.5"', '21.500000'],
    ['"1716200001123456789"', '21.123456'],
    ['"2024-05-20T10:13:21Z"', '21.000000'],
    ['"2024-05-20 10:13:21.5"', '21.500000'],
    ['"2024-05-20T10:13:21,123456789Z"', '21.123456'],
    ['"2024-05-20T12:13:21+0200"', '21.000000'],
    ['"2024-05-20 10:13:21+00"', '21.000000'],
    ['"2024-05-20 05:43:21 -0430"', '21.000000'],
    ['"2024-05-20 10:13:21 UTC"', '21.000000'],
    ['"20240520T101321Z"', '21.000000'],
    ['"2024-05-20T10:13Z"', '00.000000'],
    ['"Mon, 20 May 2024 10:13:21 GMT"', '21.000000'],
    ['"Mon, 20 May 2024 12:13:21 +0200 (CEST)"', '21.000000'],
    ['"20 May 2024 06:13:21 EDT"', '21.000000'],
    ['"Mon May 20 10:13:21 2024"', '21.000000'],
    ['"Mon May 20 10:13:21 +0000 2024"', '21.000000'],
    ['{"$date":"2024-05-20T10:13:21Z"}', '21.000000'],
    ['{"$date":1716200001123}', '21.123000'],
    ['{"$date":{"$numberLong":"1716200001123"}}', '21.123000'],
    ['{"_seconds":1716200001,"_nanoseconds":123456789}', '21.123456'],
    ['{"seconds":"1716200001","nanos":5000}', '21.000005'],
  ])('%s is that instant', (text, second) => {
    expect(timeIn(text)).toBe(`2024-05-20T10:13:${second}Z`)
  })

  test('a date without a time of day is the start of that day in UTC', () => {
    expect(timeIn('"2024-05-20"')).toBe('2024-05-20T00:00:00.000000Z')
  })

  test.each([
    '12.5',
    '0',
    '-1716200001',
    '1e400',
    '171620000112345678901',
    '"yesterday"',
    '"10:13"',
    '"2024-13-20T10:13:21Z"',
    '"Mon, 20 Foo 2024 10:13:21 GMT"',
    '"2024-05-20 10:13:21 CEST"',
    '{}',
    '{"$date":"soon"}',
    '{"seconds":12}',
    '["2024-05-20"]',
    'true',
  ])('%s is none', (text) => {
    expect(timeIn(text)).toBeUndefined()
  })

  test('a time that is a number keeps its microseconds in every unit', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 10n ** 14n, max: 4n * 10n ** 15n }), (micros) => {
        const digits = String(micros)
        const point = (decimals: number) =>
          `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`
        for (const text of [point(6), point(3), `${point(6)}9`, digits, `${digits}999`])
          expect(timeOfNumber(text)).toBe(micros)
      }),
    )
  })
})

describe('the time of a message', () => {
  const read = (message: string, of: 'ofMessage' | 'ofConversation' = 'ofMessage') => {
    const json = parseSourced(message)
    const reader = new TimeReader(json.numberText)
    return [reader[of](json.value as Json), reader.unused] as const
  }

  test.each([
    ...['created_at', 'createdAt', 'create_time', 'createTime', 'created', 'created_time'],
    ...['timestamp', 'Timestamp', 'ts', 'time', 'at', 'sent_at', 'sentAt', 'date', 'datetime'],
  ])('the time of a message is found under the name `%s`', (name) => {
    expect(isTimeName(name)).toBe(true)
    expect(read(`{"${name}":1716200001.25}`)[0]).toBe('2024-05-20T10:13:21.250Z')
  })

  test('the first readable time counts, in metadata, too, but not a `date` there', () => {
    expect(read('{"date":"soon","ts":1716200001}')[0]).toBe('2024-05-20T10:13:21.000Z')
    expect(read('{"metadata":{"createdAt":1716200001000}}')[0]).toBe('2024-05-20T10:13:21.000Z')
    expect(read('{"metadata":{"date":"2024-05-20"}}')).toEqual([
      undefined,
      { count: 0, example: undefined },
    ])
    expect(read('{"started_at":1716200001}')[0]).toBeUndefined()
    expect(read('{"started_at":1716200001}', 'ofConversation')[0]).toBeDefined()
  })

  test('a value that is no time, or a time in the future, is counted with an example', () => {
    expect(read('{"timestamp":12.50}')).toEqual([
      undefined,
      { count: 1, example: '12.50 in `timestamp`' },
    ])
    expect(read('{"date":"next week"}')[1]).toEqual({ count: 1, example: '"next week" in `date`' })
    expect(read('{"date":"2999-01-01"}')[1].count).toBe(1)
    expect(read('{"sent":true,"created_at":null}')[1].count).toBe(0)
  })
})
