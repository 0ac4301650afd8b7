/**
 * A load of writers and readers over HTTP on one or more nodes. It keeps every answer, so that each
 * can be judged afterwards.
 */

import type { AttachedAudio } from '../../../src/conversation/wire/audio-schemas.ts'
import { decodeCursor } from '../../../src/conversation/wire/ids.ts'
import type { Message, NewTurn, RecordedTurn } from '../../../src/conversation/wire/schemas.ts'
import { createConversations, type Node } from '../servers/node.ts'
import {
  dialogueFiles,
  dialoguesAreHere,
  readDialogues,
  sentences,
  turnsOf,
} from '../transfer/dialogues.ts'
import { seeded } from '../writing/writer.ts'
import {
  type AcknowledgedChange,
  digestOf,
  type ReadRecord,
  type ReadRequest,
} from './read-judge.ts'

/** A conversation with all changes acknowledged to its writers and all its reads. */
export type Talk = {
  readonly id: string
  readonly changes: AcknowledgedChange[]
  /** The reads since the last judgement. */
  reads: ReadRecord[]
  /** The newest version in an answer from the cache before the last judgement. */
  newestShown: number
  /** The newest acknowledged version with its cursor, and the newest seq. */
  version: number
  cursor: string | undefined
  lastSeq: number
}

export type Load = {
  /** Milliseconds that each read took. */
  readonly readMs: number[]
  requests(): number
  /** One sentence for each failed request. */
  readonly failures: string[]
  /** Resolves when every request in flight is answered. */
  stop(): Promise<void>
}

const writers = 4
const readers = 10
/**
 * The mean pause between two requests of a writer or reader, so that the machine is busy but not
 * full.
 */
const writerPauseMs = 80
const readerPauseMs = 80

export async function createTalks(base: string, count: number): Promise<Talk[]> {
  const ids = await createConversations(base, count)
  return ids.map((id) => ({
    id,
    changes: [],
    reads: [],
    newestShown: 0,
    version: 1,
    cursor: undefined,
    lastSeq: 0,
  }))
}

/**
 * Returns the turns of real dialogues in rotation; invented ones if the dialogues are not
 * downloaded.
 */
export function createTurns(): () => NewTurn {
  const turns = dialoguesAreHere
    ? dialogueFiles.flatMap(readDialogues).flatMap((dialogue) => turnsOf(dialogue, sentences))
    : Array.from({ length: 1000 }, (_, n) => ({
        user: { text: `Question ${n}: ${'what about this? '.repeat(n % 9)}` },
        assistant: { responses: [`Answer ${n}.`, ' 好的。'.repeat(1 + (n % 20))] },
      }))
  let next = 0
  return () => {
    const turn = turns[next++ % turns.length]
    if (turn === undefined) throw new Error('there are no turns')
    return turn
  }
}

/** Records `turns` turns in every conversation, as fast as it can. */
export async function fill(
  nodes: readonly Node[],
  talks: readonly Talk[],
  turns: number,
  nextTurn: () => NewTurn,
): Promise<void> {
  const client = createClient(nodes, seeded(1))
  await Promise.all(
    talks.map(async (talk) => {
      for (let n = 0; n < turns; n += 1) await client.record(talk, nextTurn())
    }),
  )
  if (client.failures.length > 0) throw new Error(client.failures[0])
}

export function startLoad(options: {
  readonly nodes: readonly Node[]
  readonly talks: readonly Talk[]
  readonly nextTurn: () => NewTurn
}): Load {
  const { talks, nextTurn } = options
  const random = seeded(2)
  const client = createClient(options.nodes, random)
  let isStopped = false

  const run = async (pauseMs: number, act: () => Promise<void>) => {
    while (!isStopped) {
      await Bun.sleep(random() * 2 * pauseMs)
      await act()
    }
  }
  const pick = <T>(items: readonly T[]): T => {
    const item = items[Math.floor(random() * items.length)]
    if (item === undefined) throw new Error('nothing to pick from')
    return item
  }
  const randomRequest = ({ lastSeq }: Talk): ReadRequest => {
    const dice = random()
    if (dice < 0.7) return { last: 50 }
    if (dice < 0.8) return { newest: 20 }
    if (dice < 0.9) return { after: Math.floor(random() * lastSeq), limit: 20 }
    return { before: 1 + Math.ceil(random() * lastSeq), limit: 20 }
  }
  const lines = [
    ...Array.from({ length: writers }, () => {
      // A writer attaches only to messages of its own, so the last audio of each message is known.
      const ownMessages: { talk: Talk; messageId: string }[] = []
      return run(writerPauseMs, async () => {
        if (ownMessages.length === 0 || random() < 0.8) {
          const talk = pick(talks)
          const messageId = await client.record(talk, nextTurn())
          if (messageId !== undefined) ownMessages.push({ talk, messageId })
        } else {
          const { talk, messageId } = pick(ownMessages)
          await client.attach(talk, messageId)
        }
      })
    }),
    ...Array.from({ length: readers }, () =>
      run(readerPauseMs, async () => {
        const talk = pick(talks)
        await client.read(talk, randomRequest(talk), pick(['strong', 'eventual', 'floor']))
      }),
    ),
  ]
  return {
    readMs: client.waits,
    requests: client.requests,
    failures: client.failures,
    async stop() {
      isStopped = true
      await Promise.all(lines)
    },
  }
}

/**
 * Reads every conversation on every node from the cache alone, until each answer was once from the
 * cache, with every version acknowledged before it.
 */
export async function untilWhole(
  nodes: readonly Node[],
  talks: readonly Talk[],
  withinMs: number,
): Promise<void> {
  const end = performance.now() + withinMs
  const unfinished = nodes.flatMap((node) => talks.map((talk) => ({ node, talk })))
  const work = async () => {
    for (let next = unfinished.pop(); next !== undefined; next = unfinished.pop()) {
      const { node, talk } = next
      const { version } = talk
      const client = createClient([node], Math.random)
      const read = await client.read(talk, { last: 50 }, 'eventual')
      if (read?.source === 'cache' && read.version >= version) continue
      if (performance.now() > end) throw new Error(`${talk.id} is not in the cache again`)
      unfinished.unshift(next)
      // These reads must not load the machine.
      await Bun.sleep(10)
    }
  }
  await Promise.all([work(), work()])
}

/** A client of random nodes. It stores each answer in the conversation's `Talk`. */
function createClient(nodes: readonly Node[], random: () => number) {
  const waits: number[] = []
  const failures: string[] = []
  let requests = 0
  let audio = 0

  /** Returns headers and text of a successful answer, otherwise undefined. */
  const ask = async (method: string, path: string, body?: unknown) => {
    const base = nodes[Math.floor(random() * nodes.length)]?.url ?? ''
    requests += 1
    try {
      const response = await fetch(`${base}/v1/conversations/${path}`, {
        method,
        ...(body === undefined
          ? {}
          : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      })
      const text = await response.text()
      if (response.ok) return { headers: response.headers, text }
      failures.push(`${method} ${path}: ${response.status} ${text}`)
    } catch (thrown) {
      failures.push(`${method} ${path}: ${String(thrown)}`)
    }
    return undefined
  }
  const note = (
    talk: Talk,
    { version, cursor }: RecordedTurn | AttachedAudio,
    messages: Message[],
  ) => {
    talk.changes.push({ version, messages })
    talk.lastSeq = Math.max(talk.lastSeq, ...messages.map(({ seq }) => seq))
    if (version < talk.version) return
    talk.version = version
    talk.cursor = cursor
  }

  return {
    waits,
    failures,
    requests: () => requests,

    /** Returns the id of the assistant's message. */
    async record(talk: Talk, turn: NewTurn): Promise<string | undefined> {
      const answer = await ask('POST', `${talk.id}/turns`, turn)
      if (answer === undefined) return undefined
      const recorded: RecordedTurn = JSON.parse(answer.text)
      note(talk, recorded, recorded.messages)
      return recorded.assistantMessageId
    },

    async attach(talk: Talk, messageId: string): Promise<void> {
      const ttsAudioUrls = [`https://audio.example/${messageId}/${++audio}`]
      const answer = await ask('PUT', `${talk.id}/messages/${messageId}/tts`, { ttsAudioUrls })
      if (answer === undefined) return
      const attached: AttachedAudio = JSON.parse(answer.text)
      note(talk, attached, [attached.message])
    },

    async read(
      talk: Talk,
      request: ReadRequest,
      mode: ReadRecord['mode'],
    ): Promise<ReadRecord | undefined> {
      const query = queryOf(request)
      if (mode === 'eventual') query.set('consistency', 'eventual')
      const { version, cursor } = talk
      let floor = mode === 'strong' ? version : 0
      if (mode === 'floor' && cursor !== undefined) {
        query.set('minCursor', cursor)
        floor = decodeCursor(talk.id, cursor)
      }
      const route = 'last' in request ? 'history' : 'messages'
      const startedAt = performance.now()
      const answer = await ask('GET', `${talk.id}/${route}?${query}`)
      const endedAt = performance.now()
      if (answer === undefined) return undefined
      waits.push(endedAt - startedAt)
      const body: { version: number; messages: Message[] } = JSON.parse(answer.text)
      const read: ReadRecord = {
        request,
        mode,
        floor,
        startedAt,
        endedAt,
        version: body.version,
        source: answer.headers.get('turnlog-source') ?? '',
        messages: body.messages.map(digestOf),
      }
      talk.reads.push(read)
      return read
    },
  }
}

function queryOf(request: ReadRequest): URLSearchParams {
  if ('newest' in request)
    return new URLSearchParams({ order: 'desc', limit: String(request.newest) })
  return new URLSearchParams(Object.entries(request).map(([name, value]) => [name, String(value)]))
}
