/** Runs writes. Each write is one autocommitted call with an outcome, followed by its effects. */
import type { Database, Param, QueryOptions, Statement } from '../../ports/database.ts'
import { Problem, type ProblemCode } from '../../problem.ts'
import { problemOf, type StatementKind } from '../sql/database-problems.ts'
import type { Principal } from '../wire/principal.ts'
import type { Message } from '../wire/schemas.ts'
import type { Commit, Effects } from './effects.ts'
import type { FailedWrites } from './write-health.ts'

export type Writes = {
  readonly lockTimeoutMs: number
  /**
   * Calls a write function and returns its row. Fails with the problem that the row's outcome
   * names, unless that outcome is one of `good`.
   */
  write<Row extends { outcome: string }>(
    text: string,
    params: readonly Param[],
    good: readonly string[],
    options: WriteOptions,
  ): Promise<Row>
  /** Runs one statement that writes. Fails with a `Problem`. */
  run<Row extends object>(
    kind: Exclude<StatementKind, 'read'>,
    statement: Statement,
    options?: QueryOptions,
  ): Promise<Row[]>
  /** Runs the effects for `version`, or for all versions after `from` up to `version`. */
  announce(
    principal: Principal,
    conversationId: string,
    version: number,
    touched: Commit['touched'],
    messages?: readonly Message[],
    from?: number,
  ): void
}

export type WriteOptions = QueryOptions & {
  /**
   * Whether the same call can be sent again without writing twice: it has a key or an id, or sets a
   * whole value.
   */
  readonly isRepeatable: boolean
}

export function createWrites(options: {
  readonly database: Database
  readonly effects: Effects
  readonly lockTimeoutMs: number
  readonly health?: FailedWrites | undefined
}): Writes {
  const { database, effects, lockTimeoutMs, health } = options

  const run: Writes['run'] = async <Row extends object>(
    kind: StatementKind,
    statement: Statement,
    queryOptions?: QueryOptions,
  ) => {
    try {
      return await database.query<Row>(statement, queryOptions)
    } catch (thrown) {
      health?.failed(thrown, 1)
      throw problemOf(thrown, kind)
    }
  }

  return {
    lockTimeoutMs,
    run,

    async write<Row extends { outcome: string }>(
      text: string,
      params: readonly Param[],
      good: readonly string[],
      { isRepeatable, ...queryOptions }: WriteOptions,
    ) {
      const kind = isRepeatable ? 'repeatable' : 'write'
      const [row] = await run<Row>(kind, { text, params }, queryOptions)
      if (row === undefined) throw new Error('a write answered no row')
      if (!good.includes(row.outcome)) throw new Problem(row.outcome as ProblemCode)
      return row
    },

    announce(principal, conversationId, version, touched, messages = [], from = version - 1) {
      effects.run({
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
