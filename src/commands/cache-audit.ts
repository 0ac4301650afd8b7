/** `turnlog cache audit`: holds what is cached against the database. */
import type { Config } from '../config.ts'
import { auditCache } from '../maintenance.ts'
import { openLog } from './log.ts'

/** The newest by activity that are looked at, unless all are. */
const sample = 1000

/** Counts, and every conversation that is not as it should be; 1 where one is so and stays so. */
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
    `Conversations looked at: ${total}${options.all ? '' : ` (the ${sample} last active; --all looks at every one)`}`,
    ...Object.entries(counts).map(([name, count]) => `  ${name.padEnd(width)}  ${count}`),
    ...(options.repair ? [`Repaired: ${repaired}`] : []),
  ]
  return { text: `${lines.join('\n')}\n`, code }
}
