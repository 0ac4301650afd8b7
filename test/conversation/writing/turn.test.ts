/** The hash by which two requests with one key are compared. */
import { describe, expect, test } from 'bun:test'
import { requestHash } from '../../../src/conversation/writing/turn.ts'

describe('request hash', () => {
  test('the order of members does not change a request hash, and their values do', () => {
    expect(requestHash({ a: 1, b: { c: 2, d: [] } })).toBe(
      requestHash({ b: { d: [], c: 2 }, a: 1 }),
    )
    expect(requestHash({ a: 1 })).not.toBe(requestHash({ a: 2 }))
    expect(requestHash({ a: 1 })).not.toBe(requestHash({ a: 1, b: null }))
  })
})
