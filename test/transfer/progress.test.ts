/** The bar and the lines of progress, with the pace. */
import { describe, expect, test } from 'bun:test'
import { Writable } from 'node:stream'
import { Pace, paceText } from '../../src/transfer/pace.ts'
import { createProgress } from '../../src/transfer/progress.ts'

describe('the pace', () => {
  test('the progress shows the rate and the time left after the first second', () => {
    const pace = new Pace()
    expect(pace.at(0, 0, 0)).toBeUndefined()
    expect(pace.at(999, 0.1, 100)).toBeUndefined()
    expect(pace.at(2000, 0.2, 200)).toEqual({ perSecond: 100, secondsLeft: 8 })
  })

  test('a pace follows the newest 15 seconds, not the whole run', () => {
    const pace = new Pace()
    // Replays at the start of a continued import are faster than new turns.
    for (let ms = 0; ms <= 10_000; ms += 250) pace.at(ms, ms / 20_000, ms)
    for (let ms = 10_250; ms <= 40_000; ms += 250)
      pace.at(ms, 0.5 + (ms - 10_000) / 200_000, 10_000 + (ms - 10_000) / 100)
    const shown = pace.at(40_000, 0.65, 10_300)
    expect(shown?.perSecond).toBeCloseTo(10, 1)
    expect(shown?.secondsLeft).toBeCloseTo(70, 0)
  })

  test('a pace has no time left if the total is not known or nothing is done', () => {
    const unknown = new Pace()
    unknown.at(0, undefined, 0)
    expect(unknown.at(2000, undefined, 50)).toEqual({ perSecond: 25, secondsLeft: undefined })
    const stuck = new Pace()
    stuck.at(0, 0.5, 7)
    expect(stuck.at(2000, 0.5, 7)).toEqual({ perSecond: 0, secondsLeft: undefined })
  })

  test('a pace is printed with its unit, and its time left as minutes and seconds', () => {
    for (const [perSecond, secondsLeft, text] of [
      [310.4, 64.2, '310 turns/s, 1:05 left'],
      [12_345, 3661, '12,345 turns/s, 1:01:01 left'],
      [0.25, undefined, '0.3 turns/s'],
      [9.5, 0, '9.5 turns/s, 0:00 left'],
    ] as const)
      expect(paceText({ perSecond, secondsLeft }, 'turns')).toBe(text)
  })
})

describe('the progress', () => {
  const shownBy = (isTTY: boolean) => {
    let written = ''
    const stream = Object.assign(
      new Writable({
        write(chunk, _encoding, done) {
          written += String(chunk)
          done()
        },
      }),
      { isTTY, columns: 120, rows: 20 },
    )
    let now = 0
    const progress = createProgress(stream, { now: () => now })
    for (const share of [0, 0.25, 0.5]) {
      progress.update({ share, text: 'so far', done: share * 4000, what: 'turns' })
      now += 5000
    }
    progress.stop()
    return written
  }

  test('the bar on a terminal shows the rate and the time left', () => {
    expect(shownBy(true)).toContain('so far, 200 turns/s, 0:10 left')
  })

  test('the lines elsewhere show the rate and the time left', () => {
    expect(shownBy(false)).toBe(
      '25%  so far, 200 turns/s, 0:15 left\n50%  so far, 200 turns/s, 0:10 left\n',
    )
  })
})
