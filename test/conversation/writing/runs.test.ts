/** Recorded turns as the commits that readers are told of. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { localPrincipal } from '../../../src/conversation/wire/principal.ts'
import { runsOf } from '../../../src/conversation/writing/runs.ts'
import { prepareTurn } from '../../../src/conversation/writing/turn.ts'

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
