/** Times in the forms of callers and of Postgres. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { parseTime, printTime, timeFromPostgres } from '../../../src/conversation/wire/time.ts'

describe('time', () => {
  test('a printed time parses to the same microsecond', () => {
    const micros = fc.bigInt({ min: -62135596800000000n, max: 253402300799999999n })
    fc.assert(
      fc.property(micros, (at) => {
        expect(parseTime(printTime(at))).toBe(at)
      }),
    )
  })

  test('digits of a time after the sixth decimal place are dropped, not rounded', () => {
    expect(printTime(parseTime('2026-11-23T09:30:00.1234569Z') ?? 0n)).toBe(
      '2026-11-23T09:30:00.123456Z',
    )
  })

  test('a time without an offset is UTC, and an offset is applied', () => {
    expect(parseTime('2026-11-23T09:30:00')).toBe(parseTime('2026-11-23T09:30:00Z'))
    expect(parseTime('2026-11-23T09:30:00+05:30')).toBe(parseTime('2026-11-23T04:00:00Z'))
  })

  test('an offset has the same meaning with a colon, without it, and without zero minutes', () => {
    const two = (n: number) => String(n).padStart(2, '0')
    fc.assert(
      fc.property(
        fc.constantFrom('+', '-'),
        fc.integer({ min: 0, max: 23 }),
        fc.integer({ min: 0, max: 59 }),
        (sign, hours, minutes) => {
          const at = (zone: string) => parseTime(`2026-11-23T09:30:00.5${zone}`)
          const offset = BigInt(sign === '+' ? 1 : -1) * BigInt(hours * 60 + minutes) * 60_000_000n
          const expected = (at('Z') ?? 0n) - offset
          expect(at(`${sign}${two(hours)}:${two(minutes)}`)).toBe(expected)
          expect(at(`${sign}${two(hours)}${two(minutes)}`)).toBe(expected)
          if (minutes === 0) expect(at(`${sign}${two(hours)}`)).toBe(expected)
        },
      ),
    )
  })

  test('a leap second with any fraction is a microsecond before the next second', () => {
    const minute = fc.integer({ min: -1_035_593_280, max: 4_223_371_679 })
    const fraction = fc.constantFrom('', '.0', '.5', '.999999', '.9999999')
    fc.assert(
      fc.property(minute, fraction, fc.constantFrom('', 'Z', '+00'), (n, digits, zone) => {
        const start = BigInt(n) * 60_000_000n
        const text = `${printTime(start).slice(0, 17)}60${digits}${zone}`
        expect(parseTime(text)).toBe(start + 60_000_000n - 1n)
      }),
    )
    const printed = (text: string) => printTime(parseTime(text) ?? 0n)
    expect(printed('2016-12-31T23:59:60.25Z')).toBe('2016-12-31T23:59:59.999999Z')
    expect(printed('2017-01-01T05:29:60+0530')).toBe('2016-12-31T23:59:59.999999Z')
    expect(printed('9999-12-31T23:59:60Z')).toBe('9999-12-31T23:59:59.999999Z')
  })

  test.each([
    '',
    'now',
    '2026-11-23',
    '2026-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-11-23T24:00:00Z',
    '2026-11-23T23:59:61Z',
    '2026-11-23T09:30:00+2',
    '2026-11-23T09:30:00+020',
    '2026-11-23T09:30:00+02:',
    '2026-11-23T09:30:00+02:0',
    '2026-11-23T09:30:00+24',
    '2026-11-23T09:30:00+0260',
    '2026-11-23T09:30:00+02000',
    '0000-12-31T23:59:60+00',
    '9999-12-31T23:59:60-00:01',
    '2026-11-23T09:30Z',
    '2026-11-23T09:30:00.Z',
    '2026-11-23T09:30:00+24:00',
    '10000-01-01T00:00:00Z',
    '+010000-01-01T00:00:00Z',
    '0000-12-31T23:59:59Z',
    '9999-12-31T23:59:59-00:01',
  ])('the text %p is not a time', (text) => {
    expect(parseTime(text)).toBeUndefined()
  })

  test('the decimal zeros of a time that Postgres drops are added again', () => {
    expect(timeFromPostgres('2026-11-23 09:30:00.12+00')).toBe('2026-11-23T09:30:00.120000Z')
    expect(timeFromPostgres('2026-11-23 09:30:00+00')).toBe('2026-11-23T09:30:00.000000Z')
  })
})
