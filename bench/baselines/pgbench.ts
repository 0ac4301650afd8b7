/** pgbench with hand-written SQL of a turn, on the service's own tables. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LoadFigures, runProgram } from '../load/cpu.ts'
import { answer, question } from '../load/scene.ts'
import { median } from '../report/comparison.ts'

const conversation = "('00000000-0000-7000-8000-' || lpad((:n)::text, 12, '0'))::uuid"
const columns =
  '(conversation_id, seq, id, tenant, turn_id, version, role, parts, message_type, created_at)'
const take = `UPDATE conversations SET version = version + 1, last_seq = last_seq + 2, last_message_at = now()
  WHERE id = ${conversation}`
const message = (id: string, seq: string, version: string, role: string, text: string) =>
  `${id}, ${seq}, gen_random_uuid(), 'default', gen_random_uuid(), ${version}, '${role}', ARRAY['${text}'], 'text', now()`

/**
 * A turn as five statements, as a client that waits for each answer sends it: version and seq, then
 * two messages.
 */
const five = `BEGIN;
${take}
  RETURNING last_seq AS seq, version AS v \\gset
INSERT INTO conversation_messages ${columns}
  VALUES (${message(conversation, ':seq - 1', ':v', 'human', question)});
INSERT INTO conversation_messages ${columns}
  VALUES (${message(conversation, ':seq', ':v', 'ai', answer)});
COMMIT;
`

/** The same turn as one statement, which commits by itself. */
const one = `WITH c AS (${take}
  RETURNING id, last_seq, version)
INSERT INTO conversation_messages ${columns}
  SELECT ${message('id', 'last_seq - 1', 'version', 'human', question)} FROM c
  UNION ALL SELECT ${message('id', 'last_seq', 'version', 'ai', answer)} FROM c;
`

export const turnStatements = { five, one } as const

export type Pgbench = Disposable & {
  /** The command line for the report, without the address of the server. */
  words(clients: number, seconds: number): string[]
  run(clients: number, seconds: number): Promise<LoadFigures & { readonly medianMs: number }>
}

/** Runs the chosen statements in conversations 1 to `conversations`, picked at random. */
export function pgbench(
  url: string,
  statements: keyof typeof turnStatements,
  conversations: number,
): Pgbench {
  const folder = mkdtempSync(join(tmpdir(), 'turnlog-bench-'))
  const file = join(folder, `${statements}.sql`)
  writeFileSync(file, `\\set n random(1, ${conversations})\n${turnStatements[statements]}`)
  const words = (clients: number, seconds: number) => {
    const threads = Math.min(2, clients)
    const load = ['-c', `${clients}`, '-j', `${threads}`, '-T', `${seconds}`]
    return ['pgbench', '-n', '-M', 'prepared', ...load, '-f', `${statements}.sql`]
  }
  return {
    words,
    async run(clients, seconds) {
      // With one client, pgbench logs each wait, for the median. With many, the log costs too much.
      const log = clients === 1 ? ['-l'] : []
      const options = { cwd: folder }
      const { output, seconds: clientSeconds } = await runProgram(
        [...words(clients, seconds), ...log, url],
        options,
      )
      const value = Number(/tps = ([\d.]+)/.exec(output)?.[1])
      const operations = Number(/actually processed: (\d+)/.exec(output)?.[1])
      if (!(value > 0 && operations > 0)) throw new Error(`pgbench:\n${output}`)
      return { value, operations, clientSeconds, medianMs: median(waitsIn(folder)) }
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** The waits in pgbench's logs, in milliseconds. Removes the logs. */
function waitsIn(folder: string): number[] {
  return readdirSync(folder)
    .filter((name) => name.startsWith('pgbench_log.'))
    .flatMap((name) => {
      const lines = readFileSync(join(folder, name), 'utf8').trimEnd().split('\n')
      rmSync(join(folder, name))
      // Client, transaction, microseconds, ...
      return lines.map((line) => Number(line.split(' ')[2]) / 1000)
    })
}
