/** A writer that does random writes, as agents do, and logs the answers. */
import { expect } from 'bun:test'
import type { NewTurn, RecordedTurn } from '../../../src/conversation/wire/schemas.ts'
import { newLog, type WriterLog } from './checker.ts'
import { type Answer, attach, createSegment, recordTurn } from './client.ts'

export type Writer = {
  readonly logs: ReadonlyMap<string, WriterLog>
  run(steps: number): Promise<void>
}

/**
 * Creates a writer. `bases` returns the URLs of the nodes, and is asked again for each call.
 * `random` makes the run repeatable. A `patient` writer repeats a retryable or lost request under
 * its key until it is answered.
 */
export function createWriter(options: {
  name: string
  bases: () => readonly string[]
  conversations: readonly string[]
  random: () => number
  patient: boolean
  stopped?: () => boolean
}): Writer {
  const { random, conversations } = options
  const logs = new Map(conversations.map((id) => [id, newLog()]))
  const segments = new Map<string, string>()
  let count = 0

  const pick = <T>(items: readonly T[]): T => {
    const item = items[Math.floor(random() * items.length)]
    if (item === undefined) throw new Error('nothing to pick from')
    return item
  }
  const logOf = (id: string): WriterLog => logs.get(id) ?? newLog()

  const newTurn = (id: string): NewTurn => {
    count += 1
    const text = `${options.name}/${count}`
    if (random() < 0.25) return { assistant: { responses: [text] } }
    const parts = Array.from(
      { length: 1 + Math.floor(random() * 4) },
      (_, n) => `answer ${n} to ${text}`,
    )
    const segment = segments.get(id)
    return {
      user: { text, ...(random() < 0.3 ? { voice: { sessionId: 'v', durationSeconds: 3 } } : {}) },
      assistant: { responses: parts },
      ...(segment !== undefined && random() < 0.3
        ? { segment: { id: segment, agentResponse: text } }
        : {}),
    }
  }

  /** Sends a request until its outcome is known, or once if the writer is not patient. */
  const send = async <T>(once: (base: string) => Promise<Answer<T>>): Promise<Answer<T>> => {
    for (;;) {
      const answer = await once(pick(options.bases()))
      const passing = answer.kind === 'lost' || (answer.kind === 'problem' && answer.body.retryable)
      if (!passing || !options.patient) return answer
      if (options.stopped?.()) return answer
      await Bun.sleep(20)
    }
  }

  const nameOf = (turn: NewTurn) => turn.user?.text ?? turn.assistant.responses.join('[SPLIT]')

  const record = async (id: string) => {
    const turn = newTurn(id)
    const key = options.patient || random() < 0.7 ? `key-${options.name}-${count}` : undefined
    logOf(id).unknown.add(nameOf(turn))
    const answer = await send((base) => recordTurn(base, id, turn, key))
    if (answer.kind === 'problem' && !answer.body.retryable)
      throw new Error(JSON.stringify(answer.body))
    if (answer.kind !== 'answer') return
    logOf(id).unknown.delete(nameOf(turn))
    logOf(id).turns.set(nameOf(turn), { sent: turn, answer: answer.body })
    logOf(id).versions.push(answer.body.version)
    if (key !== undefined && random() < 0.2) await retry(id, turn, key, answer.body)
  }

  const retry = async (id: string, turn: NewTurn, key: string, first: RecordedTurn) => {
    const again = await send((base) => recordTurn(base, id, turn, key))
    if (again.kind === 'answer') {
      expect(again.status).toBe(200)
      expect(again.body.replayed).toBe(true)
      expect(again.body.version).toBe(first.version)
      expect(again.body.messages.map((one) => one.id)).toEqual(first.messages.map((one) => one.id))
    }
    const changed = { ...turn, assistant: { ...turn.assistant, responses: ['changed'] } }
    const other = await send((base) => recordTurn(base, id, changed, key))
    if (other.kind === 'answer') throw new Error('a changed body was accepted under an old key')
    if (other.kind === 'problem' && !other.body.retryable)
      expect(other.body.code).toBe('idempotency-conflict')
  }

  const attachSomewhere = async (id: string) => {
    const turns = [...logOf(id).turns.values()]
    if (turns.length === 0) return
    const messageId = pick(turns).answer.assistantMessageId
    count += 1
    const urls = [`https://audio.example/${options.name}/${count}`]
    const answer = await send((base) => attach(base, id, messageId, urls))
    if (answer.kind !== 'answer') return
    // A repeated PUT that changed nothing takes no version, so there is nothing to log.
    if (answer.body.message.version !== answer.body.version) return
    logOf(id).versions.push(answer.body.version)
    logOf(id).audio.set(messageId, { version: answer.body.version, urls })
  }

  const segmentSomewhere = async (id: string) => {
    const answer = await send((base) => createSegment(base, id))
    if (answer.kind !== 'answer') return
    segments.set(id, answer.body.id)
    logOf(id).versions.push(answer.body.version)
  }

  return {
    logs,
    async run(steps) {
      for (let step = 0; step < steps && !options.stopped?.(); step += 1) {
        const id = pick(conversations)
        const dice = random()
        if (dice < 0.75) await record(id)
        else if (dice < 0.95) await attachSomewhere(id)
        else await segmentSomewhere(id)
      }
    },
  }
}

/** A repeatable stream of numbers in [0, 1): mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
