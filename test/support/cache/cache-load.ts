/**
 * A load of writers and readers over HTTP on one or more nodes, and what both were told: enough to
 * judge every answer when it is over.
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

/** A conversation, and all that was told of it. */
export type Talk = {
  readonly id: string
  readonly changes: AcknowledgedChange[]
  /** Since the last judgement. */
  reads: ReadRecord[]
  /** The newest version that the cache has shown up to then. */
  newestShown: number
  /** The newest version acknowledged, with its cursor, and the newest seq. */
  version: number
  cursor: string | undefined
  lastSeq: number
}

export type Load = {
  /** What its readers waited, in milliseconds. */
  readonly readMs: number[]
  requests(): number
  /** One sentence each. */
  readonly failures: string[]
  /** Resolves when every request under way is answered. */
  stop(): Promise<void>
}

const writers = 4
const readers = 10
/** Between the requests of one writer or reader: the machine shall be busy, and not full. */
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

/** Real turns, again and again; made up ones where the dialogues are not at hand. */
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

/** Gives every conversation so many turns, as fast as it goes. */
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
  const askedOf = ({ lastSeq }: Talk): ReadRequest => {
    const dice = random()
    if (dice < 0.7) return { last: 50 }
    if (dice < 0.8) return { newest: 20 }
    if (dice < 0.9) return { after: Math.floor(random() * lastSeq), limit: 20 }
    return { before: 1 + Math.ceil(random() * lastSeq), limit: 20 }
  }
  const lines = [
    ...Array.from({ length: writers }, () => {
      // Only their own: what one message was last given is then known.
      const mine: { talk: Talk; messageId: string }[] = []
      return run(writerPauseMs, async () => {
        if (mine.length === 0 || random() < 0.8) {
          const talk = pick(talks)
          const messageId = await client.record(talk, nextTurn())
          if (messageId !== undefined) mine.push({ talk, messageId })
        } else {
          const { talk, messageId } = pick(mine)
          await client.attach(talk, messageId)
        }
      })
    }),
    ...Array.from({ length: readers }, () =>
      run(readerPauseMs, async () => {
        const talk = pick(talks)
        await client.read(talk, askedOf(talk), pick(['strong', 'eventual', 'floor']))
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
 * Reads every conversation on every node, trusting the cache alone, until each was once answered
 * from there, with all that was acknowledged before.
 */
export async function untilWhole(
  nodes: readonly Node[],
  talks: readonly Talk[],
  withinMs: number,
): Promise<void> {
  const end = performance.now() + withinMs
  const left = nodes.flatMap((node) => talks.map((talk) => ({ node, talk })))
  const work = async () => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const { node, talk } = next
      const { version } = talk
      const client = createClient([node], Math.random)
      const read = await client.read(talk, { last: 50 }, 'eventual')
      if (read?.source === 'cache' && read.version >= version) continue
      if (performance.now() > end) throw new Error(`${talk.id} is not in the cache again`)
      left.unshift(next)
      // Whoever looks must not be the load.
      await Bun.sleep(10)
    }
  }
  await Promise.all([work(), work()])
}

/** Notes what it is told with the conversation. */
function createClient(nodes: readonly Node[], random: () => number) {
  const waits: number[] = []
  const failures: string[] = []
  let requests = 0
  let audio = 0

  /** The answer's text, where it is one. */
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
  const tell = (talk: Talk, { version, cursor }: RecordedTurn | AttachedAudio, told: Message[]) => {
    talk.changes.push({ version, messages: told })
    talk.lastSeq = Math.max(talk.lastSeq, ...told.map(({ seq }) => seq))
    if (version < talk.version) return
    talk.version = version
    talk.cursor = cursor
  }

  return {
    waits,
    failures,
    requests: () => requests,

    /** Answers the id of the assistant's message. */
    async record(talk: Talk, turn: NewTurn): Promise<string | undefined> {
      const answer = await ask('POST', `${talk.id}/turns`, turn)
      if (answer === undefined) return undefined
      const told: RecordedTurn = JSON.parse(answer.text)
      tell(talk, told, told.messages)
      return told.assistantMessageId
    },

    async attach(talk: Talk, messageId: string): Promise<void> {
      const ttsAudioUrls = [`https://audio.example/${messageId}/${++audio}`]
      const answer = await ask('PUT', `${talk.id}/messages/${messageId}/tts`, { ttsAudioUrls })
      if (answer === undefined) return
      const told: AttachedAudio = JSON.parse(answer.text)
      tell(talk, told, [told.message])
    },

    async read(
      talk: Talk,
      asked: ReadRequest,
      mode: ReadRecord['mode'],
    ): Promise<ReadRecord | undefined> {
      const query = queryOf(asked)
      if (mode === 'eventual') query.set('consistency', 'eventual')
      const { version, cursor } = talk
      let floor = mode === 'strong' ? version : 0
      if (mode === 'floor' && cursor !== undefined) {
        query.set('minCursor', cursor)
        floor = decodeCursor(talk.id, cursor)
      }
      const route = 'last' in asked ? 'history' : 'messages'
      const startedAt = performance.now()
      const answer = await ask('GET', `${talk.id}/${route}?${query}`)
      const endedAt = performance.now()
      if (answer === undefined) return undefined
      waits.push(endedAt - startedAt)
      const body: { version: number; messages: Message[] } = JSON.parse(answer.text)
      const read: ReadRecord = {
        request: asked,
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

function queryOf(asked: ReadRequest): URLSearchParams {
  if ('newest' in asked) return new URLSearchParams({ order: 'desc', limit: String(asked.newest) })
  return new URLSearchParams(Object.entries(asked).map(([name, value]) => [name, String(value)]))
}
