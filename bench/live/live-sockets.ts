/**
 * Thousands of sockets of one process: the cost of a frame, a socket and a resume, against Bun's
 * own sockets.
 */

import { createConversations, type Node, startNode } from '../../test/support/servers/node.ts'
import { testDatabaseUrl } from '../../test/support/servers/postgres.ts'
import { startRedis } from '../../test/support/servers/redis.ts'
import { must, recordTurn } from '../../test/support/writing/client.ts'
import { cpuSeconds } from '../load/cpu.ts'
import { anonymousBytes } from '../load/process-memory.ts'
import { seconds, turn } from '../load/scene.ts'
import type { Ledger } from '../report/ledger.ts'
import type { RowId } from '../report/rows.ts'
import { type Bare, followers, Sockets, startBare } from './sockets.ts'

/**
 * Memory per socket is the slope between these two counts, so a process's one-time growth is left
 * out.
 */
const fewSockets = 2000
const manySockets = 10_000
/** Number of sockets that resume at the same time. */
const resuming = 5000

export async function benchSockets(ledger: Ledger): Promise<void> {
  await using redis = await startRedis()
  const start = async () =>
    await startNode({ DATABASE_URL: await testDatabaseUrl(), REDIS_URL: `${redis.url}/0` })
  await benchFanOut(ledger, start)
  // If each socket follows a conversation of its own, the figure includes that conversation's
  // memory.
  const memory = (id: RowId, conversations: number) =>
    ledger.compare(id, {
      async ours() {
        await using node = await start()
        const ids = await createConversations(node.url, conversations)
        return await bytesPerSocket(node, (n) => `/v1/live?conversation=${ids[n % ids.length]}`)
      },
      async baseline() {
        await using bare = await startBare()
        return await bytesPerSocket(bare, () => '/idle')
      },
    })
  await memory('live-memory-shared', 50)
  await memory('live-memory-own', manySockets)
  await benchResume(ledger, start)
}

async function benchFanOut(ledger: Ledger, start: () => Promise<Node>): Promise<void> {
  await using node = await start()
  await using bare = await startBare()
  const [followed = '', lonely = ''] = await createConversations(node.url, 2)
  const commit = (id: string) => () => record(node, id)
  const sockets = await Sockets.open(node.url, followers, () => `/v1/live?conversation=${followed}`)
  await sockets.all('live')
  const bareSockets = await Sockets.open(bare.url, followers, () => '/follow')
  await record(node, followed)
  await sockets.all('change')
  const frame = sockets.lastFrame
  const publish = () => requireOk(fetch(bare.url, { method: 'POST', body: frame }))
  const commits = seconds * 100

  const perFrame = async (
    { pid }: { pid: number },
    subscribers: Sockets,
    act: () => Promise<unknown>,
    actAlone: () => Promise<unknown>,
  ) => {
    const alone = await cpuOf(pid, async () => {
      for (let n = 0; n < commits; n += 1) await actAlone()
    })
    const before = subscribers.changes
    const all = await cpuOf(pid, async () => {
      for (let n = 0; n < commits; n += 1) {
        const everyone = subscribers.more(followers)
        await act()
        await everyone
      }
    })
    return ((all - alone) / (subscribers.changes - before)) * 1e6
  }
  const ours = async () => ({
    value: await perFrame(node, sockets, commit(followed), commit(lonely)),
  })
  const baseline = async () => {
    // The same requests to another process that has no sockets.
    await using emptyServer = await startBare()
    const post = () => requireOk(fetch(emptyServer.url, { method: 'POST', body: frame }))
    for (let n = 0; n < commits; n += 1) await post()
    const alone = await cpuOf(emptyServer.pid, async () => {
      for (let n = 0; n < commits; n += 1) await post()
    })
    const nothing = async () => {}
    const all = await perFrame(bare, bareSockets, publish, nothing)
    return { value: all - (alone / commits / followers) * 1e6 }
  }
  await ledger.compare('live-frame', { ours, baseline, warm: true })
  sockets.close()
  bareSockets.close()
}

async function bytesPerSocket(server: Bare, path: (n: number) => string) {
  const few = await Sockets.open(server.url, fewSockets, path)
  const before = await idleMemory(server.pid)
  const more = await Sockets.open(server.url, manySockets - fewSockets, path)
  const after = await idleMemory(server.pid)
  few.close()
  more.close()
  return { value: (after - before) / (manySockets - fewSockets) }
}

async function benchResume(ledger: Ledger, start: () => Promise<Node>): Promise<void> {
  await using node = await start()
  await using bare = await startBare()
  const ids = await createConversations(node.url, 50)
  const cursors: string[] = []
  for (const id of ids) {
    cursors.push((await record(node, id)).cursor)
    await record(node, id)
  }
  const at = (n: number) => n % ids.length
  const resume = (n: number) => `/v1/live?conversation=${ids[at(n)]}&cursor=${cursors[at(n)]}`
  const time = async (url: string, path: (n: number) => string, what: 'change' | 'live') => {
    const began = performance.now()
    const sockets = await Sockets.open(url, resuming, path)
    await sockets.all(what)
    const took = performance.now() - began
    if (sockets.changes !== resuming) throw new Error(`${sockets.changes} changes came`)
    const bytes = sockets.lastFrame.length
    sockets.close()
    await Bun.sleep(500)
    return { took, bytes }
  }
  const { bytes } = await time(node.url, resume, 'live')
  await ledger.compare('live-resume', {
    ours: async () => ({ value: (await time(node.url, resume, 'live')).took }),
    baseline: async () => {
      const { took } = await time(bare.url, () => `/greet?bytes=${bytes}`, 'change')
      return { value: took }
    },
  })
}

/** Seconds of CPU that the process spends on `act`. */
async function cpuOf(pid: number, act: () => Promise<void>): Promise<number> {
  const before = cpuSeconds(pid)
  await act()
  // Work that a commit causes after its answer counts, too.
  await Bun.sleep(200)
  return cpuSeconds(pid) - before
}

async function idleMemory(pid: number): Promise<number> {
  await Bun.sleep(2000)
  return anonymousBytes(pid)
}

const record = async ({ url }: Node, id: string) => must(await recordTurn(url, id, turn))

async function requireOk(pending: Promise<Response>): Promise<Response> {
  const response = await pending
  if (!response.ok) throw new Error(await response.text())
  return response
}
