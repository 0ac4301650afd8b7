/**
 * Turns recorded over HTTP, beside pgbench running by hand what a turn is in SQL: five statements
 * (begin, take the order, two messages, commit) on the same tables of the same server.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { startNode } from '../test/support/node.ts'
import { testDatabaseUrl } from '../test/support/postgres.ts'
import { type Comparison, compare } from './comparison.ts'
import { httpLoad, postBytes } from './http-load.ts'
import { answer, conversationId, programsNeeded, question, runs, seconds } from './scene.ts'

const conversations = 1000

const fiveStatements = `
\\set n random(1, ${conversations})
BEGIN;
UPDATE conversations SET version = version + 1, last_seq = last_seq + 2, last_message_at = now()
  WHERE id = ('00000000-0000-7000-8000-' || lpad((:n)::text, 12, '0'))::uuid
  RETURNING last_seq AS seq, version AS v \\gset
INSERT INTO conversation_messages (conversation_id, seq, id, tenant, turn_id, version, role, parts, message_type, created_at)
  VALUES (('00000000-0000-7000-8000-' || lpad((:n)::text, 12, '0'))::uuid, :seq - 1, gen_random_uuid(), 'default', gen_random_uuid(), :v, 'human', ARRAY['${question}'], 'text', now());
INSERT INTO conversation_messages (conversation_id, seq, id, tenant, turn_id, version, role, parts, message_type, created_at)
  VALUES (('00000000-0000-7000-8000-' || lpad((:n)::text, 12, '0'))::uuid, :seq, gen_random_uuid(), 'default', gen_random_uuid(), :v, 'ai', ARRAY['${answer}'], 'text', now());
COMMIT;
`

async function pgbench(url: string, script: string, clients: number): Promise<number> {
  const child = Bun.spawn(
    [
      'pgbench',
      '-n',
      '-M',
      'prepared',
      '-c',
      `${clients}`,
      '-j',
      '2',
      '-T',
      `${seconds}`,
      '-f',
      script,
      url,
    ],
    { stdout: 'pipe', stderr: 'pipe' },
  )
  const [output, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  const tps = /tps = ([\d.]+)/.exec(output)?.[1]
  if ((await child.exited) !== 0 || tps === undefined) throw new Error(`pgbench failed:\n${errors}`)
  return Number(tps)
}

export async function benchRecord(): Promise<Comparison[]> {
  programsNeeded('pgbench')
  const url = await testDatabaseUrl()
  await using node = await startNode({ DATABASE_URL: url })
  const folder = mkdtempSync(join(tmpdir(), 'turnlog-bench-'))
  const script = join(folder, 'turn.sql')
  writeFileSync(script, fiveStatements)
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  await sql`insert into conversations (id, tenant, version, self_version, last_seq, created_at)
    select ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'default', 1, 1, 0, now()
    from generate_series(1, ${conversations}) n`
  await sql.end()

  const turn = { user: { text: question }, assistant: { responses: [answer] } }
  const requests = Array.from({ length: conversations }, (_, n) =>
    postBytes(`/v1/conversations/${conversationId(n + 1)}/turns`, turn),
  )
  const port = Number(new URL(node.url).port)
  const ours = async (connections: number) => {
    const load = await httpLoad({
      port,
      connections,
      seconds,
      // A stride that visits every conversation, so that neighbours are not the same.
      next: (n) => requests[(n * 379) % conversations] ?? Buffer.alloc(0),
    })
    if (load.failures > 0) throw new Error(`${load.failures} turns were not recorded`)
    return load.requestsPerSecond
  }
  const comparisons: Comparison[] = []
  for (const connections of [1, 8, 32]) {
    comparisons.push(
      await compare({
        name: `record, ${connections} connections, against pgbench's five statements`,
        unit: 'turns/s',
        runs,
        ours: () => ours(connections),
        baseline: () => pgbench(url, script, connections),
      }),
    )
  }
  rmSync(folder, { recursive: true, force: true })
  return comparisons
}
