/** Ids, cursors and page tokens. */
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

describe('id', () => {
  const uuidv7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
  const newIds = (count: number) => Array.from({ length: count }, newId)

  test('a new id is a UUIDv7 that sorts after all earlier ones, even if the clock moves back', () => {
    const ids = newIds(10_000)
    setSystemTime(Date.now() + 60_000)
    ids.push(...newIds(3))
    const at = Date.now()
    expect(Number.parseInt(newId().replace('-', '').slice(0, 12), 16)).toBe(at)
    // The clock stops while more ids are made than one millisecond can count, and then moves back.
    setSystemTime(at)
    ids.push(...newIds(10_000))
    setSystemTime(at - 3_600_000)
    ids.push(...newIds(10))
    setSystemTime()
    ids.push(...newIds(10))
    expect(ids.filter((id) => !uuidv7.test(id))).toEqual([])
    expect(ids).toEqual(ids.toSorted())
    expect(new Set(ids).size).toBe(ids.length)
  })
})

describe('cursor', () => {
  const version = fc.integer({ min: 0, max: 2 ** 48 - 1 })
  const id = fc.uuid().map(canonicalId)

  test('a cursor decodes to its version, and only for its own conversation', () => {
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
        const offset = where % cursor.length
        const mangled =
          cursor.slice(0, offset) +
          (how === 1 ? '' : put) +
          cursor.slice(offset + (how === 2 ? 0 : 1))
        fc.pre(mangled !== cursor)
        expect(codeOf(() => decodeCursor(one, mangled))).toBe('cursor-invalid')
      }),
    )
  })

  test('a text that is not a cursor is refused', () => {
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
  test('a page token decodes to its keys, and only for its own list', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        const page = encodePage('one', [a, b])
        expect(decodePage('one', 2, page)).toEqual([a, b])
        expect(codeOf(() => decodePage('other', 2, page))).toBe('page-invalid')
        expect(codeOf(() => decodePage('one', 1, page))).toBe('page-invalid')
      }),
    )
  })

  test('a text that is not a page token is refused', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(codeOf(() => decodePage('one', 2, text))).toBe('page-invalid')
      }),
    )
  })
})
