/**
 * Libraries that people use today, called in process through their public API, against Turnlog over
 * HTTP. A peer has the advantage: it pays no HTTP, and its callers are in the process that does the
 * work. Both use one Postgres, with a database each.
 */
import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { startNode } from '../../test/support/servers/node.ts'
import { testDatabaseUrl } from '../../test/support/servers/postgres.ts'
import { metered, runProgram } from '../load/cpu.ts'
import { startLineProcess } from '../load/line-process.ts'
import { loadClient } from '../load/load-client.ts'
import { analyse, watchedPostgres } from '../load/postgres-server.ts'
import { answer, conversationId, newestOf, question, seconds, turn } from '../load/scene.ts'
import { seed } from '../load/seed.ts'
import type { Task } from '../peers/callers.ts'
import type { Ledger } from '../report/ledger.ts'
import { type RowId, rowsByBench } from '../report/rows.ts'

const conversations = 64
const messages = 1000
const newest = 50
const callers = 32

const folder = join(import.meta.dir, '../.peers')

export async function benchPeers(ledger: Ledger): Promise<void> {
  try {
    await install()
  } catch (thrown) {
    const reason = `the peers' packages could not be installed: ${String(thrown).split('\n')[0]}`
    ledger.skip(Object.keys(rowsByBench.peers) as RowId[], reason)
    return
  }
  ledger.command(['bun install --frozen-lockfile', '(in bench/.peers)'])
  const url = await testDatabaseUrl()
  const postgres = await watchedPostgres(url)
  await using node = await startNode({ DATABASE_URL: url })
  await seed(url, { conversations, messages })
  const server = { server: node.pid, ...postgres }
  using loads = loadClient(
    node.url,
    newestOf(conversations, newest).map((path) => ({ path: `${path}&consistency=strong` })),
  )
  using turns = loadClient(
    node.url,
    Array.from({ length: conversations }, (_, n) => ({
      path: `/v1/conversations/${conversationId(n + 1)}/turns`,
      body: turn,
    })),
  )
  ledger.command(turns.words(callers, seconds))

  const against = async (kind: string, rows: readonly [RowId, Act][]) => {
    await using peer = await openPeer(kind)
    const watched = { peer: peer.pid, ...postgres }
    for (const [id, act] of rows) {
      const client = act === 'record' ? turns : loads
      await ledger.compare(id, {
        ours: () => metered(server, () => client.run(callers, seconds)),
        baseline: () => metered(watched, () => peer.work({ act, callers, seconds })),
        warm: true,
      })
    }
  }
  // Loads run first: recording makes histories longer, and LangChain's load pays for the length.
  await against('mastra', [
    ['peers-load-mastra', 'load'],
    ['peers-load-mastra-lean', 'loadLean'],
    ['peers-record-mastra', 'record'],
  ])
  await against('langchain', [
    ['peers-load-langchain', 'load'],
    ['peers-record-langchain', 'record'],
  ])
  await against('shipped', [
    ['peers-load-langchain-bare', 'load'],
    ['peers-record-langchain-bare', 'record'],
  ])
}

type Act = Exclude<Task['act'], 'prepare'>

/** Installs the peers' packages in bench/.peers, apart from the project's. */
async function install(): Promise<void> {
  mkdirSync(folder, { recursive: true })
  cpSync(join(import.meta.dir, '../peers'), folder, { recursive: true })
  const words = ['install', '--frozen-lockfile', '--omit=peer', '--ignore-scripts']
  await runProgram([process.execPath, ...words], { cwd: folder })
}

type Result = { readonly value: number; readonly operations: number }

type Peer = AsyncDisposable & { readonly pid: number; work(task: Task): Promise<Result> }

/** Starts a peer in a process and a database of its own, and writes the same conversations. */
async function openPeer(kind: string): Promise<Peer> {
  const url = await testDatabaseUrl()
  const args = [kind, url, question, answer, `${newest}`]
  const child = startLineProcess([join(folder, 'callers.ts'), ...args], folder)
  const work = (task: Task) => child.ask<Result>(JSON.stringify(task))
  await work({ act: 'prepare', conversations, messages })
  await analyse(url)
  return { pid: child.pid, work, [Symbol.asyncDispose]: () => child[Symbol.asyncDispose]() }
}
