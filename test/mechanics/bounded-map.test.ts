/** Tests of BoundedMap: the entries that it keeps, the one that it drops first, and its weight. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { BoundedMap } from '../../src/mechanics/bounded-map.ts'

const entriesOf = <Value>(map: BoundedMap<string, Value>) => [...map]

describe('a bounded map', () => {
  test('a bounded map keeps at most max entries and drops the least recently used one', () => {
    const map = new BoundedMap<string, number>({ max: 2 })
    map.set('a', 1)
    map.set('b', 2)
    map.set('c', 3)
    expect(entriesOf(map)).toEqual([
      ['b', 2],
      ['c', 3],
    ])
    expect([map.size, map.weight]).toEqual([2, 2])
  })

  test('`set` and `use` count as use, and `get` does not', () => {
    const map = new BoundedMap<string, number>({ max: 3 })
    for (const [index, key] of ['a', 'b', 'c'].entries()) map.set(key, index)
    expect([map.use('a'), map.get('b'), map.use('d')]).toEqual([0, 1, undefined])
    map.set('c', 9)
    map.set('d', 3)
    expect([...map.keys()]).toEqual(['a', 'c', 'd'])
    expect([...map.values()]).toEqual([0, 9, 3])
  })

  test('using an entry of a bounded map moves it to the end, also after the entry used last was deleted and set again', () => {
    const map = new BoundedMap<string, number>({ max: 2 })
    map.set('a', 1)
    map.set('b', 2)
    map.delete('b')
    map.set('c', 3)
    map.use('a')
    map.set('d', 4)
    expect([...map.keys()]).toEqual(['a', 'd'])
  })

  test('a bounded map with `weigh` keeps entries up to that weight', () => {
    const map = new BoundedMap<string, string>({ max: 6, weigh: ({ length }) => length })
    map.set('a', 'xxx')
    map.set('b', 'xx')
    map.set('c', 'xxx')
    expect([...map.keys()]).toEqual(['b', 'c'])
    map.set('b', 'x')
    expect(map.weight).toBe(4)
  })

  test('a bounded map does not store a value above its bound, and drops only the earlier value of the same key', () => {
    const map = new BoundedMap<string, string>({ max: 5, weigh: ({ length }) => length })
    map.set('a', 'xx')
    map.set('b', 'xx')
    map.set('a', 'xxxxxx')
    expect(entriesOf(map)).toEqual([['b', 'xx']])
  })

  test('`grow` makes an entry heavier, and the next `set` evicts entries to make up for it', () => {
    const map = new BoundedMap<string, { bytes: number }>({ max: 10, weigh: ({ bytes }) => bytes })
    const grown = { bytes: 2 }
    map.set('a', { bytes: 3 })
    map.set('b', grown)
    grown.bytes += 7
    map.grow(7)
    expect([map.weight, map.size]).toEqual([12, 2])
    expect(map.dropOldest()).toEqual({ bytes: 3 })
    expect(map.weight).toBe(9)
    map.delete('b')
    expect([map.weight, map.dropOldest()]).toEqual([0, undefined])
  })

  test('a cleared bounded map is empty', () => {
    const map = new BoundedMap<string, number>({ max: 2 })
    map.set('a', 1)
    map.clear()
    expect([map.size, map.weight, map.get('a')]).toEqual([0, 0, undefined])
  })

  test('a bounded map always has the entries used last and the sum of their weights', () => {
    const step = fc.oneof(
      fc.record({ type: fc.constant('set' as const), key: fc.nat(7), weight: fc.nat(6) }),
      fc.record({ type: fc.constantFrom('use' as const, 'delete' as const), key: fc.nat(7) }),
    )
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.integer({ min: 1, max: 12 }),
        (steps, max) => {
          const map = new BoundedMap<number, { weight: number }>({
            max,
            weigh: ({ weight }) => weight,
          })
          let model: [number, { weight: number }][] = []
          const weightOf = () => model.reduce((sum, [, { weight }]) => sum + weight, 0)
          for (const step of steps) {
            const found = model.find(([key]) => key === step.key)
            if (step.type === 'use' && found === undefined) continue
            model = model.filter((entry) => entry !== found)
            if (step.type === 'set') {
              const value = { weight: step.weight }
              if (step.weight <= max) model.push([step.key, value])
              while (weightOf() > max) model.shift()
              map.set(step.key, value)
            } else if (step.type === 'delete') map.delete(step.key)
            else if (found !== undefined) {
              model.push(found)
              map.use(step.key)
            }
            expect([...map]).toEqual(model)
            expect(map.weight).toBe(weightOf())
          }
        },
      ),
    )
  })
})
