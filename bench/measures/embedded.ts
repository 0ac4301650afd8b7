/**
 * Turns recorded over HTTP on the embedded database, against bare PGlite. The baseline is a process
 * that only runs the statements that the service sends for turns that arrive one at a time.
 */
import { writeFileSync } from 'node:fs'
import { paramText } from '../../adapters/database/values.ts'
import { createApp } from '../../src/app.ts'
import { configWith } from '../../src/config.ts'
import { createEvents } from '../../src/events.ts'
import type { Database, Statement } from '../../src/ports/database.ts'
import { startNode } from '../../test/support/servers/node.ts'
import type { BareStatement, ReplayFigures } from '../baselines/bare-pglite.ts'
import { startBarePglite } from '../baselines/bare-processes.ts'
import { openConfigured, record } from '../live/live-latency.ts'
import { metered } from '../load/cpu.ts'
import { type EmbeddedData, embeddedConversations, embeddedData } from '../load/embedded-data.ts'
import { loadClient } from '../load/load-client.ts'
import { conversationId, seconds, turn } from '../load/scene.ts'
import type { Ledger } from '../report/ledger.ts'

/** Statements prepared per second of a run: more than bare PGlite can run. */
const statementsPerSecond = 5000
const warmSeconds = 1

export async function benchEmbedded(ledger: Ledger): Promise<void> {
  using data = await embeddedData()
  const file = await statementsOf(data)
  await using node = await startNode({ TURNLOG_DATA: data.copy() })
  using client = loadClient(
    node.url,
    Array.from({ length: embeddedConversations }, (_, n) => ({
      path: `/v1/conversations/${conversationId(n + 1)}/turns`,
      body: turn,
    })),
  )
  ledger.command(client.words(1, seconds))
  ledger.command(client.words(32, seconds))
  for (const connections of [1, 32] as const)
    await ledger.compare(`embedded-${connections}`, {
      ours: () => metered({ server: node.pid }, () => client.run(connections, seconds)),
      baseline: () => replay(data.copy(), file),
      warm: true,
    })
}

/** Runs the statements of a file on data that they were not run on before. */
async function replay(directory: string, file: string) {
  await using bare = await startBarePglite(directory, file)
  // The service keeps running between runs, and a new process is slower, so this one warms up
  // first.
  await bare.ask(`${warmSeconds}`)
  return await metered({ pglite: bare.pid }, () => bare.ask<ReplayFigures>(`${seconds}`))
}

/**
 * Writes the statements that the service sends for single turns to a file, and returns its path.
 */
async function statementsOf(data: EmbeddedData): Promise<string> {
  const directory = data.copy()
  const config = configWith({ database: { dataDirectory: directory } })
  const sent: Statement[] = []
  await using database = await openConfigured(config)
  const recorder: Database = {
    name: database.name,
    shared: database.shared,
    async query<Row extends object>(...call: Parameters<Database['query']>) {
      sent.push(call[0])
      return await database.query<Row>(...call)
    },
    migrate: () => database.migrate(),
    [Symbol.asyncDispose]: async () => {},
  }
  await using app = await createApp(config, { database: recorder, events: createEvents(() => {}) })
  const turns = (seconds + warmSeconds) * statementsPerSecond
  for (let n = 0; n < turns; n += 1)
    await record(app, conversationId((n % embeddedConversations) + 1))
  // The statement that was sent most often is the one that records a turn; the service also sends
  // others.
  const [texts = []] = [...Map.groupBy(sent, ({ text }) => text).values()].toSorted(
    (a, b) => b.length - a.length,
  )
  if (texts.length !== turns) throw new Error(`${texts.length} statements for ${turns} turns`)
  const file = `${directory}.json`
  const statements = texts.map(
    ({ text, params }): BareStatement => ({ text, params: params.map(paramText) }),
  )
  writeFileSync(file, JSON.stringify(statements))
  return file
}
