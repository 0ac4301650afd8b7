/** The text of a thrown value. */
import { expect, test } from 'bun:test'
import { thrownText } from '../../src/mechanics/thrown-text.ts'

test('the text of an error is its message, or its name if it has no message', () => {
  expect(thrownText(new RangeError('too far'))).toBe('too far')
  expect(thrownText(new RangeError())).toBe('RangeError')
})

test('the text of a thrown object is its message, or its name and number', () => {
  expect(thrownText({ message: 'exit(1)', status: 1 })).toBe('exit(1)')
  expect(thrownText({ name: 'ErrnoError', errno: 51 })).toBe(
    'an object with name ErrnoError, errno 51',
  )
  expect(thrownText({ message: { deep: true } })).toBe('an object without a message')
  expect(thrownText({ password: 'secret' })).not.toContain('secret')
  expect(thrownText(Object.create(null))).toBe('an object without a message')
})

test('the text of any other thrown value is that value', () => {
  expect(['no', 7, undefined, null].map(thrownText)).toEqual(['no', '7', 'undefined', 'null'])
})
