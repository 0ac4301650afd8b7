/**
 * The ledger of a running bench: comparisons, skipped rows with their reasons, and the commands
 * used.
 */

import { runs } from '../load/scene.ts'
import { type Comparison, inTurn, judge, type Sample, type Side, shown } from './comparison.ts'
import { type RowId, rowOf } from './rows.ts'

export type Skipped = { readonly id: string; readonly because: string }

export type Ledger = {
  readonly comparisons: Comparison[]
  readonly skipped: Skipped[]
  readonly commands: string[]
  /** Runs both sides alternately. With `warm`, each first runs once without counting. */
  compare(id: RowId, sides: { ours: Side; baseline: Side; warm?: boolean }): Promise<void>
  /** Adds runs that the bench measured itself. The n-th runs of both sides are a pair. */
  put(id: RowId, ours: readonly Sample[], baseline: readonly Sample[]): void
  skip(ids: readonly RowId[], because: string): void
  /** Notes a command for the report, once. */
  command(words: readonly string[]): void
}

export function openLedger(print: (line: string) => void): Ledger {
  const ledger: Ledger = {
    comparisons: [],
    skipped: [],
    commands: [],
    async compare(id, { ours, baseline, warm = false }) {
      if (warm) {
        await baseline()
        await ours()
      }
      const samples = await inTurn(runs, ours, baseline)
      ledger.put(id, samples.ours, samples.baseline)
    },
    put(id, ours, baseline) {
      const comparison = { id, ...rowOf(id), ours, baseline }
      ledger.comparisons.push(comparison)
      const judged = judge(comparison)
      print(`${id}: ${shown(judged.ours)} ${comparison.unit}, ratio ${shown(judged.ratio)}`)
    },
    skip(ids, because) {
      for (const id of ids) {
        ledger.skipped.push({ id, because })
        print(`${id}: skipped, because ${because}`)
      }
    },
    command(words) {
      const line = words.join(' ')
      if (!ledger.commands.includes(line)) ledger.commands.push(line)
    },
  }
  return ledger
}
