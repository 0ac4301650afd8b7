/** The size of JSON in the database. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { storedBytes } from '../../../../src/conversation/wire/json/stored-size.ts'

describe('stored bytes', () => {
  /** A number without an exponent, as `jsonb` prints it. */
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

  test('storedBytes counts all digits of a number, and texts unchanged', () => {
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
