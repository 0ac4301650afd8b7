import { describe, expect, setSystemTime, test } from 'bun:test'
import fc from 'fast-check'
import {
  canonicalId,
  decodeCursor,
  decodePage,
  encodeCursor,
  encodePage,
  newId,
} from '../../../src/conversation/wire/ids.ts'
import { outermostStrings } from '../../../src/conversation/wire/json/json-scan.ts'
import { mergePatch } from '../../../src/conversation/wire/json/merge-patch.ts'
import { storedBytes } from '../../../src/conversation/wire/json/stored-size.ts'
import { localPrincipal } from '../../../src/conversation/wire/principal.ts'
import { joinParts, splitResponses } from '../../../src/conversation/wire/render.ts'
import { parseTime, printTime, timeFromPostgres } from '../../../src/conversation/wire/time.ts'
import { runsOf } from '../../../src/conversation/writing/runs.ts'
import { prepareTurn, requestHash } from '../../../src/conversation/writing/turn.ts'
import { Problem } from '../../../src/problem.ts'

const codeOf = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    if (error instanceof Problem) return error.code
    throw error
  }
  return 'no problem'
}

/** Text in which the marker, whole and in pieces, is frequent. */
const splitty = fc
  .array(fc.oneof(fc.constantFrom('[SPLIT]', '[SPL', 'IT]', '[', ']', ' ', ''), fc.string()))
  .map((pieces) => pieces.join(''))

describe('render', () => {
  test('splitting what was joined gives the parts again', () => {
    fc.assert(
      fc.property(fc.array(splitty), (responses) => {
        const parts = splitResponses(responses)
        expect(splitResponses([joinParts(parts)])).toEqual(parts)
        expect(parts.every((part) => part !== '' && !part.includes('[SPLIT]'))).toBe(true)
      }),
    )
  })

  test('splitting loses nothing but the markers', () => {
    fc.assert(
      fc.property(fc.array(splitty), (responses) => {
        const kept = responses.map((response) => response.split('[SPLIT]').join('')).join('')
        expect(splitResponses(responses).join('')).toBe(kept)
      }),
    )
  })

  test('a response that ends with the marker is one part, its white space kept', () => {
    expect(splitResponses([' hello [SPLIT]', '[SPLIT]', '', ' '])).toEqual([' hello ', ' '])
  })
})

describe('time', () => {
  test('a time printed and parsed is the same microsecond', () => {
    const micros = fc.bigInt({ min: -62135596800000000n, max: 253402300799999999n })
    fc.assert(
      fc.property(micros, (at) => {
        expect(parseTime(printTime(at))).toBe(at)
      }),
    )
  })

  test('digits past the sixth are cut, not rounded', () => {
    expect(printTime(parseTime('2026-11-23T09:30:00.1234569Z') ?? 0n)).toBe(
      '2026-11-23T09:30:00.123456Z',
    )
  })

  test('a missing zone is UTC, and an offset is applied', () => {
    expect(parseTime('2026-11-23T09:30:00')).toBe(parseTime('2026-11-23T09:30:00Z'))
    expect(parseTime('2026-11-23T09:30:00+05:30')).toBe(parseTime('2026-11-23T04:00:00Z'))
  })

  test('an offset means the same with a colon, without it, and without its minutes', () => {
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

  test('a leap second is the next second less a microsecond, whatever its fraction', () => {
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
  ])('%p is no time', (text) => {
    expect(parseTime(text)).toBeUndefined()
  })

  test("Postgres' dropped zeros come back", () => {
    expect(timeFromPostgres('2026-11-23 09:30:00.12+00')).toBe('2026-11-23T09:30:00.120000Z')
    expect(timeFromPostgres('2026-11-23 09:30:00+00')).toBe('2026-11-23T09:30:00.000000Z')
  })
})

describe('id', () => {
  const uuidv7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
  const many = (count: number) => Array.from({ length: count }, newId)

  test('a new one is a UUIDv7 later than all before it, whatever the clock does', () => {
    const ids = many(10_000)
    setSystemTime(Date.now() + 60_000)
    ids.push(...many(3))
    const at = Date.now()
    expect(Number.parseInt(newId().replace('-', '').slice(0, 12), 16)).toBe(at)
    // It stands still for longer than a millisecond has counts, and goes back.
    setSystemTime(at)
    ids.push(...many(10_000))
    setSystemTime(at - 3_600_000)
    ids.push(...many(10))
    setSystemTime()
    ids.push(...many(10))
    expect(ids.filter((id) => !uuidv7.test(id))).toEqual([])
    expect(ids).toEqual(ids.toSorted())
    expect(new Set(ids).size).toBe(ids.length)
  })
})

describe('cursor', () => {
  const version = fc.integer({ min: 0, max: 2 ** 48 - 1 })
  const id = fc.uuid().map(canonicalId)

  test('a cursor gives back its version, for its conversation alone', () => {
    fc.assert(
      fc.property(id, id, version, (one, other, at) => {
        fc.pre(one !== other)
        const cursor = encodeCursor(one, at)
        expect(decodeCursor(one, cursor)).toBe(at)
        expect(codeOf(() => decodeCursor(other, cursor))).toBe('cursor-invalid')
      }),
    )
  })

  test('a cursor with one character changed, dropped or added is refused', () => {
    const character = fc.constantFrom(...'ABCDEFGHIJabcdefghij0123456789-_'.split(''))
    fc.assert(
      fc.property(id, version, fc.nat(100), character, fc.nat(2), (one, at, where, put, how) => {
        const cursor = encodeCursor(one, at)
        const place = where % cursor.length
        const mangled =
          cursor.slice(0, place) +
          (how === 1 ? '' : put) +
          cursor.slice(place + (how === 2 ? 0 : 1))
        fc.pre(mangled !== cursor)
        expect(codeOf(() => decodeCursor(one, mangled))).toBe('cursor-invalid')
      }),
    )
  })

  test('any other text is refused', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(codeOf(() => decodeCursor('0193581e-0000-7000-8000-000000000001', text))).toBe(
          'cursor-invalid',
        )
      }),
    )
  })
})

describe('page token', () => {
  test('a token gives back its keys, to its list alone', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        const page = encodePage('one', [a, b])
        expect(decodePage('one', 2, page)).toEqual([a, b])
        expect(codeOf(() => decodePage('other', 2, page))).toBe('page-invalid')
        expect(codeOf(() => decodePage('one', 1, page))).toBe('page-invalid')
      }),
    )
  })

  test('any other text is refused as a token', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(codeOf(() => decodePage('one', 2, text))).toBe('page-invalid')
      }),
    )
  })
})

describe('stored bytes', () => {
  /** As `jsonb` prints a number: without an exponent. */
  const plain = (value: number): string => {
    const [, sign = '', first = '', fraction = '', power = '0'] =
      /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(String(value)) ?? []
    if (first === '') return String(value)
    const digits = first + fraction
    const exponent = Number(power)
    return exponent > 0
      ? sign + digits.padEnd(exponent + 1, '0')
      : `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`
  }

  test('count numbers with all their digits, and texts as they are', () => {
    const text = fc.oneof(fc.string(), fc.constantFrom('1e+300', 'x,1e+300,"1e+9', '\\', '1e-7"'))
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), text)),
        (items) => {
          const printed = items.map((item) =>
            typeof item === 'number' ? plain(item === 0 ? 0 : item) : JSON.stringify(item),
          )
          expect(storedBytes(JSON.stringify(items))).toBe(
            Buffer.byteLength(`[${printed.join(',')}]`),
          )
        },
      ),
      { numRuns: 1000 },
    )
    expect(storedBytes('[1e+300,1.5e-7]')).toBe('[,0.00000015]'.length + 301)
  })
})

describe('merge patch', () => {
  // RFC 7396, appendix A.
  test.each([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('%j patched with %j is %j', (target, patch, result) => {
    expect(mergePatch(target as unknown, patch as unknown)).toEqual(result as never)
  })

  test('a member called __proto__ is a member', () => {
    const merged = mergePatch(JSON.parse('{"a":1}'), JSON.parse('{"__proto__":{"b":2}}'))
    expect(JSON.stringify(merged)).toBe('{"a":1,"__proto__":{"b":2}}')
  })
})

describe('request hash', () => {
  test('the order of members does not matter, and their values do', () => {
    expect(requestHash({ a: 1, b: { c: 2, d: [] } })).toBe(
      requestHash({ b: { d: [], c: 2 }, a: 1 }),
    )
    expect(requestHash({ a: 1 })).not.toBe(requestHash({ a: 2 }))
    expect(requestHash({ a: 1 })).not.toBe(requestHash({ a: 1, b: null }))
  })
})

describe('runs of recorded turns', () => {
  const recordedAt = (conversation: string, version: number) => ({
    entry: {
      turn: prepareTurn(
        localPrincipal,
        conversation,
        { assistant: { responses: ['a'] } },
        undefined,
      ),
      since: 0,
      resolve: () => {},
      reject: () => {},
    },
    place: { version, seq: version, head: version, urls: null, began: false },
  })

  test('hold every turn once, by conversation, in versions that follow each other', () => {
    const turns = fc.uniqueArray(
      fc.record({
        conversation: fc.constantFrom('a', 'b'),
        version: fc.integer({ min: 2, max: 30 }),
      }),
      { selector: ({ conversation, version }) => `${conversation}${version}` },
    )
    fc.assert(
      fc.property(turns, (given) => {
        const runs = runsOf(
          given.map(({ conversation, version }) => recordedAt(conversation, version)),
        )
        const seen = runs.map((run) =>
          run.map(({ entry, place }) => `${entry.turn.row.c}${place.version}`),
        )
        expect(seen.flat().sort()).toEqual(
          given.map((one) => `${one.conversation}${one.version}`).sort(),
        )
        for (const run of runs) {
          const [first] = run
          run.forEach(({ entry, place }, n) => {
            expect(place.version).toBe(first.place.version + n)
            expect(entry.turn.row.c).toBe(first.entry.turn.row.c)
          })
          // No run could have been longer.
          const before = `${first.entry.turn.row.c}${first.place.version - 1}`
          expect(seen.flat()).not.toContain(before)
        }
      }),
    )
  })
})

test('outermostStrings finds the string members of the outermost object alone', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      const members = isPlain(value) ? Object.entries(value) : []
      const strings = members.filter(([, member]) => typeof member === 'string')
      const expected = JSON.stringify(Object.fromEntries(strings))
      expect(JSON.stringify(outermostStrings(JSON.stringify(value)))).toBe(expected)
      expect(JSON.stringify(outermostStrings(JSON.stringify(value, null, 2)))).toBe(expected)
    }),
    { numRuns: 2000 },
  )
  expect(outermostStrings('{"id":"a","n":[{"id":"b"}],"c":"d"')).toEqual({ id: 'a' })
})

const isPlain = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
