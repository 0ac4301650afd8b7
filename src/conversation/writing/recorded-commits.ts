/** The recorded turns of a batch, as the commits that the effects receive. */
import type { Message } from '../wire/schemas.ts'
import type { Commit } from './effects.ts'
import type { PendingTurn, TurnPosition } from './pending-turn.ts'

/** A turn that the database has recorded. */
export type Recorded = {
  readonly pending: PendingTurn
  readonly position: TurnPosition
  /** The messages as they are stored in the database. */
  readonly messages: Message[]
}

/** One commit for each unbroken series of versions in each conversation. */
export function commitsOf(recorded: readonly Recorded[]): Commit[] {
  return runsOf(recorded).map((run) => {
    const { pending, position } = run[0]
    const from = position.version - 1
    return {
      tenant: pending.turn.row.tenant,
      conversationId: pending.turn.row.conversationId,
      from,
      version: from + run.length,
      messages: run.flatMap(({ messages }) => messages),
      touched: run.some(touchesMore) ? 'more' : 'messages',
    }
  })
}

/** Whether a turn wrote more than its messages: it began a voice session or completed a segment. */
const touchesMore = ({ pending, position }: Recorded): boolean =>
  position.began || pending.turn.row.agentResponse !== null

/**
 * Groups the turns of each conversation into runs, which are series of consecutive versions. Turns
 * that were found by a look-up may come from several calls, with versions of other nodes between
 * them. One commit over such a gap would claim versions that it does not contain.
 */
function runsOf(recorded: readonly Recorded[]): [Recorded, ...Recorded[]][] {
  const runs: [Recorded, ...Recorded[]][] = []
  const byConversation = Map.groupBy(recorded, ({ pending }) => pending.turn.row.conversationId)
  for (const group of byConversation.values()) {
    let version = Number.NaN
    for (const one of group.toSorted((a, b) => a.position.version - b.position.version)) {
      if (one.position.version === version + 1) runs.at(-1)?.push(one)
      else runs.push([one])
      version = one.position.version
    }
  }
  return runs
}
