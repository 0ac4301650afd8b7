/** What was recorded of a batch, as the commits that its readers are told of. */
import type { Entry, Place } from './recorder.ts'

type RecordedAt = { readonly entry: Entry; readonly place: Place }

/**
 * Turns of one conversation whose versions follow each other. Turns recovered by look-up may
 * come from several calls, with other nodes' versions between them: a commit that spanned them would
 * claim versions that it does not carry.
 */
export function runsOf<T extends RecordedAt>(recorded: readonly T[]): [T, ...T[]][] {
  const runs: [T, ...T[]][] = []
  const byConversation = Map.groupBy(recorded, ({ entry }) => entry.turn.row.c)
  for (const group of byConversation.values()) {
    let version = Number.NaN
    for (const one of group.toSorted((a, b) => a.place.version - b.place.version)) {
      if (one.place.version === version + 1) runs.at(-1)?.push(one)
      else runs.push([one])
      version = one.place.version
    }
  }
  return runs
}
