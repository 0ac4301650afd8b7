/** How a write is made: one autocommitted call, its outcome, and the effects of its commit. */
import type { Events } from '../events.ts'
import type { Database, Param } from '../ports/database.ts'
import { Problem, type ProblemCode } from '../problem.ts'
import { type Commit, type Effect, runEffects } from './effects.ts'
import { ask } from './failure.ts'
import type { Principal } from './principal.ts'
import type { Message } from './wire.ts'

export type Writes = {
  readonly lockTimeoutMs: number
  /** The answered row, where its outcome is one of those named; else the problem it names. */
  write<Row extends { outcome: string }>(
    text: string,
    params: readonly Param[],
    good: readonly string[],
    deadlineMs?: number,
  ): Promise<Row>
  /** Tells the effects of the one version that a call took, or of those after `from`. */
  announce(
    principal: Principal,
    conversationId: string,
    version: number,
    touched: Commit['touched'],
    messages?: readonly Message[],
    from?: number,
  ): void
}

export function createWrites(options: {
  readonly database: Database
  readonly effects: readonly Effect[]
  readonly events: Events
  readonly lockTimeoutMs: number
}): Writes {
  const { database, effects, events, lockTimeoutMs } = options
  return {
    lockTimeoutMs,

    async write<Row extends { outcome: string }>(
      text: string,
      params: readonly Param[],
      good: readonly string[],
      deadlineMs?: number,
    ) {
      const [row] = await ask<Row>(
        database,
        'write',
        { text, params },
        deadlineMs === undefined ? {} : { deadlineMs },
      )
      if (row === undefined) throw new Error('a write answered no row')
      if (!good.includes(row.outcome)) throw new Problem(row.outcome as ProblemCode)
      return row
    },

    announce(principal, conversationId, version, touched, messages = [], from = version - 1) {
      runEffects(effects, events, {
        tenant: principal.tenant,
        conversationId,
        from,
        version,
        messages,
        touched,
      })
    },
  }
}
