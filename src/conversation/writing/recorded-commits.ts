/** What was recorded of a batch, as the commits that the effects are told of. */
import type { Message } from '../wire/schemas.ts'
import type { Commit } from './effects.ts'
import type { PendingTurn, TurnPosition } from './pending-turn.ts'

export type Recorded = {
  readonly pending: PendingTurn
  readonly position: TurnPosition
  /** As they stand in the database. */
  readonly messages: Message[]
}

/** One commit for each conversation and run of versions. */
export function commitsOf(recorded: readonly Recorded[]): Commit[] {
  return runsOf(recorded).map((run) => {
    const { pending, position } = run[0]
    const from = position.version - 1
    return {
      tenant: pending.turn.row.tenant,
      conversationId: pending.turn.row.c,
      from,
      version: from + run.length,
      messages: run.flatMap(({ messages }) => messages),
      touched: run.some(touchesMore) ? 'more' : 'messages',
    }
  })
}

/** Whether a turn wrote more than its messages: a voice session began, or a segment was completed. */
const touchesMore = ({ pending, position }: Recorded): boolean =>
  position.began || pending.turn.row.agent_response !== null

/**
 * Turns of one conversation whose versions follow each other. Turns recovered by look-up may
 * come from several calls, with other nodes' versions between them: a commit that spanned them would
 * claim versions that it does not carry.
 */
function runsOf(recorded: readonly Recorded[]): [Recorded, ...Recorded[]][] {
  const runs: [Recorded, ...Recorded[]][] = []
  const byConversation = Map.groupBy(recorded, ({ pending }) => pending.turn.row.c)
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
