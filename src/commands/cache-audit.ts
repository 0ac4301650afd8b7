/** The command `turnlog cache audit` compares the cached histories with the database. */
import type { Config } from '../config.ts'
import { auditCache } from '../maintenance.ts'
import { openLog } from './log.ts'

/** Number of conversations that are compared without `--all`: the ones with the newest activity. */
const sample = 1000

/**
 * Prints each conversation whose cache entries differ, and the counts. The exit code is 1 if a
 * difference remains, because it was not repaired.
 */
export async function cacheAudit(
  config: Config,
  options: { readonly all: boolean; readonly repair: boolean; readonly json: boolean },
): Promise<{ text: string; code: number }> {
  const { counts, odd, repaired } = await auditCache(config, openLog(config), {
    limit: options.all ? undefined : sample,
    repair: options.repair,
  })
  const code = odd.length > repaired ? 1 : 0
  if (options.json) return { text: `${JSON.stringify({ counts, odd, repaired }, null, 2)}\n`, code }
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0)
  const width = Math.max(...Object.keys(counts).map((name) => name.length))
  const lines = [
    ...odd.map(({ id, finding, reason }) =>
      reason === undefined ? `${id}  ${finding}` : `${id}  ${finding}: ${reason}`,
    ),
    `Conversations compared: ${total}${options.all ? '' : ` (the ${sample} that were active last; --all compares every one)`}`,
    ...Object.entries(counts).map(([name, count]) => `  ${name.padEnd(width)}  ${count}`),
    ...(options.repair ? [`Repaired: ${repaired}`] : []),
  ]
  return { text: `${lines.join('\n')}\n`, code }
}
