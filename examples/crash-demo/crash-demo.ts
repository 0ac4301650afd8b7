/**
 * Kills a node in the middle of a conversation and starts it again: the follower misses no turn, and
 * the agent's turn waits for the node. Run `npm run -s demo:crash`.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from 'turnlog/client'

const port = process.env['DEMO_PORT'] ?? '3001'
const url = `http://127.0.0.1:${port}`
const conversationId = '0192f0c1-7c00-7000-8000-000000000002'
const directory = mkdtempSync(join(tmpdir(), 'turnlog-demo-'))
const main = join(import.meta.dir, '../../src/main.ts')

const say = (text: string) => process.stdout.write(`${text}\n`)

/** Starts a node on the demo's own data, and resolves once it is ready. */
async function startNode() {
  const node = Bun.spawn([process.execPath, '--no-env-file', main, 'serve'], {
    env: { PATH: process.env['PATH'] ?? '', PORT: port, TURNLOG_DATA: directory },
    stdout: 'ignore',
    stderr: 'pipe',
  })
  const log = new Response(node.stderr).text()
  while (!(await isReady()))
    if (node.exitCode !== null) throw new Error(`The node did not start:\n${await log}`)
    else await Bun.sleep(100)
  return node
}

const isReady = async (): Promise<boolean> => {
  const answer = await fetch(`${url}/readyz`).catch(() => undefined)
  return answer?.ok === true
}

const turn = (text: string, answer: string) => ({
  user: { text },
  assistant: { responses: [answer] },
})

/** Prints each message as the service delivers it, until one has the text `last`. */
async function follow(first: string, last: string, onFirst: () => void): Promise<void> {
  for await (const event of client.live(conversationId, { tail: 20 })) {
    if (event.type !== 'change') continue
    for (const { seq, role, content } of event.messages) say(`${seq} ${role}: ${content}`)
    if (event.messages.some(({ content }) => content === first)) onFirst()
    if (event.messages.some(({ content }) => content === last)) return
  }
}

if (await isReady()) throw new Error(`Another service listens on ${url}: set DEMO_PORT.`)
let node = await startNode()
await using client = createClient({
  url,
  backoff: { firstMs: 100, maxMs: 500 },
  onConnection: (state) => state === 'open' && say('-- connected'),
})
try {
  await client.createConversation({ id: conversationId })
  const firstShown = Promise.withResolvers<void>()
  const following = follow('It is, for eight.', 'Goodbye!', firstShown.resolve)
  await client.record(conversationId, turn('Is the table booked?', 'It is, for eight.'))
  await firstShown.promise

  node.kill('SIGKILL')
  await node.exited
  if (node.signalCode !== 'SIGKILL' || (await isReady()))
    throw new Error('The node was not killed: this run shows nothing.')
  say('-- the node was killed')
  const recorded = client.record(conversationId, turn('Thank you.', 'Goodbye!'))
  node = await startNode()
  const { version } = await recorded
  await following
  say(`-- recorded version ${version}; no turn was lost`)
} finally {
  node.kill('SIGTERM')
  await node.exited
  rmSync(directory, { recursive: true, force: true })
}
