/**
 * A process with a peer's library and callers of its public API. It runs in a copy of this folder
 * that has the packages installed. Each line of its input is a task in JSON; it answers a line with
 * the result.
 */
import { createInterface } from 'node:readline'

export type Task =
  | { readonly act: 'prepare'; readonly conversations: number; readonly messages: number }
  | { readonly act: Act; readonly callers: number; readonly seconds: number }

/** The operation that each caller repeats, every time with the next conversation. */
type Act = 'record' | 'load' | 'loadLean'

type Peer = Record<Act, (conversation: number) => Promise<void>> & {
  prepare(conversations: number, messages: number): Promise<void>
}

const [kind = '', url = '', question = '', answer = '', last = ''] = process.argv.slice(2)
const newest = Number(last)

/** Connections of a pool. The default of pg, 10, is not faster. */
const connections = 20

// Imported by a name at run time, because the project has no types of these packages.
const imported = async <Module>(name: string) => (await import(name)) as Module

type Row = { readonly rows: readonly unknown[] }
type Pool = { query(text: string, values?: unknown[]): Promise<Row> }

async function mastra(): Promise<Peer> {
  type Message = Record<string, unknown>
  type Memory = {
    saveThread(options: { thread: Record<string, unknown> }): Promise<unknown>
    saveMessages(options: { messages: Message[] }): Promise<unknown>
    listMessages(options: Record<string, unknown>): Promise<{ messages: Message[] }>
  }
  type Store = { init(): Promise<void>; getStore(name: string): Promise<Memory> }
  const { PostgresStore } = await imported<{
    PostgresStore: new (options: Record<string, unknown>) => Store
  }>('@mastra/pg')
  const store = new PostgresStore({ id: 'bench', connectionString: url, max: connections })
  await store.init()
  const memory = await store.getStore('memory')
  const message = (threadId: string, role: string, text: string, at: number) => ({
    id: crypto.randomUUID(),
    threadId,
    resourceId: 'bench',
    role,
    createdAt: new Date(at),
    content: { format: 2, parts: [{ type: 'text', text }] },
  })
  const turnOf = (thread: string, at: number) => [
    message(thread, 'user', question, at),
    message(thread, 'assistant', answer, at + 1),
  ]
  const list = async (conversation: number, options: Record<string, unknown>) => {
    const { messages } = await memory.listMessages({
      threadId: `${conversation}`,
      page: 0,
      perPage: newest,
      orderBy: { field: 'createdAt', direction: 'DESC' },
      ...options,
    })
    if (messages.length !== newest) throw new Error(`${messages.length} messages came`)
    messages.reverse()
  }
  return {
    async prepare(conversations, messages) {
      for (let n = 0; n < conversations; n += 1) {
        const at = { createdAt: new Date(), updatedAt: new Date() }
        const thread = { id: `${n}`, resourceId: 'bench', title: '', metadata: {}, ...at }
        await memory.saveThread({ thread })
        const begin = Date.now() - messages
        const turns = Array.from({ length: messages / 2 }, (_, k) => turnOf(`${n}`, begin + 2 * k))
        // In pieces, because a statement accepts at most 65,535 parameters.
        for (let k = 0; k < turns.length; k += 100)
          await memory.saveMessages({ messages: turns.slice(k, k + 100).flat() })
      }
    },
    async record(conversation) {
      await memory.saveMessages({ messages: turnOf(`${conversation}`, Date.now()) })
    },
    // The options that the library's own `recall` uses, with the count of all messages.
    load: (conversation) => list(conversation, {}),
    loadLean: (conversation) => list(conversation, { includeTotal: false }),
  }
}

async function langchain({ indexed }: { indexed: boolean }): Promise<Peer> {
  type History = {
    addMessages(messages: unknown[]): Promise<void>
    getMessages(): Promise<unknown[]>
  }
  type Message = new (text: string) => unknown
  const { PostgresChatMessageHistory } = await imported<{
    PostgresChatMessageHistory: new (options: Record<string, unknown>) => History
  }>('@langchain/community/stores/message/postgres')
  const { HumanMessage, AIMessage } = await imported<{ HumanMessage: Message; AIMessage: Message }>(
    '@langchain/core/messages',
  )
  const { default: pg } = await imported<{
    default: { Pool: new (options: Record<string, unknown>) => Pool }
  }>('pg')
  const pool = new pg.Pool({ connectionString: url, max: connections })
  const tableName = `histories_${kind}`
  const histories: History[] = []
  // One object per conversation, made once: a new one begins with a CREATE TABLE.
  const of = (conversation: number) => {
    const sessionId = `${conversation}`
    histories[conversation] ??= new PostgresChatMessageHistory({ pool, sessionId, tableName })
    return histories[conversation]
  }
  const turn = () => [new HumanMessage(question), new AIMessage(answer)]
  const load = async (conversation: number) => {
    // The API has no way to ask for fewer messages.
    const messages = (await of(conversation).getMessages()).slice(-newest)
    if (messages.length !== newest) throw new Error(`${messages.length} messages came`)
  }
  return {
    async prepare(conversations, messages) {
      await of(0).getMessages()
      if (indexed) await pool.query(`create index on ${tableName} (session_id, id)`)
      const fill = async (n: number) => {
        const turns = Array.from({ length: messages / 2 }, turn)
        await of(n).addMessages(turns.flat())
      }
      await Promise.all(Array.from({ length: conversations }, (_, n) => fill(n)))
    },
    record: (conversation) => of(conversation).addMessages(turn()),
    load,
    loadLean: load,
  }
}

const peers: Readonly<Record<string, () => Promise<Peer>>> = {
  mastra,
  langchain: () => langchain({ indexed: true }),
  shipped: () => langchain({ indexed: false }),
}

const peer = await peers[kind]?.()
if (peer === undefined) throw new Error(`There is no peer ${kind}`)
let conversations = 1
let next = 0

async function work(task: Task): Promise<Record<string, number>> {
  if (task.act === 'prepare') {
    conversations = task.conversations
    await peer?.prepare(task.conversations, task.messages)
    return {}
  }
  const { act, callers, seconds } = task
  let operations = 0
  const began = performance.now()
  const until = began + seconds * 1000
  const call = async () => {
    while (performance.now() < until) {
      next = (next + 1) % conversations
      await peer?.[act](next)
      operations += 1
    }
  }
  await Promise.all(Array.from({ length: callers }, call))
  return { operations, value: (operations * 1000) / (performance.now() - began) }
}

for await (const line of createInterface(process.stdin))
  process.stdout.write(`${JSON.stringify(await work(JSON.parse(line)))}\n`)
process.exit(0)
