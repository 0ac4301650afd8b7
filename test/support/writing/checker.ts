/**
 * Checks a stored conversation against the logs of its writers: messages in order, versions in
 * order, every acknowledged turn stored once, and no turn with only one half.
 */
import { expect } from 'bun:test'
import type {
  Conversation,
  ConversationList,
  Message,
  MessagePage,
  NewTurn,
  RecordedTurn,
  SegmentList,
} from '../../../src/conversation/wire/schemas.ts'
import { call, must } from './client.ts'

/** The answers that one writer got about one conversation. */
export type WriterLog = {
  /** Acknowledged turns, by their unique text. */
  turns: Map<string, { sent: NewTurn; answer: RecordedTurn }>
  /** Texts of turns with an unknown outcome. Each may be stored once, or not be stored. */
  unknown: Set<string>
  /** The version of each acknowledged change. */
  versions: number[]
  /** The latest audio that the writer attached to each message, with the version of that change. */
  audio: Map<string, { version: number; urls: string[] }>
}

export const newLog = (): WriterLog => ({
  turns: new Map(),
  unknown: new Set(),
  versions: [],
  audio: new Map(),
})

export async function readAll(base: string, id: string): Promise<Message[]> {
  const messages: Message[] = []
  for (;;) {
    const after = messages.at(-1)?.seq ?? 0
    const page = must(
      await call<MessagePage>(
        base,
        'GET',
        `/v1/conversations/${id}/messages?after=${after}&limit=200`,
      ),
    )
    messages.push(...page.messages)
    if (!page.hasMore) return messages
  }
}

export const readConversation = async (base: string, id: string): Promise<Conversation> =>
  must(await call<Conversation>(base, 'GET', `/v1/conversations/${id}`))

export const readSegments = async (base: string, id: string): Promise<SegmentList> =>
  must(await call<SegmentList>(base, 'GET', `/v1/conversations/${id}/segments?limit=200`))

export const readConversations = async (base: string): Promise<ConversationList> =>
  must(await call<ConversationList>(base, 'GET', '/v1/conversations?limit=200'))

/** The name of a turn is the text of its first message, which is unique. */
const nameOf = (turn: Message[]) => turn[0]?.content ?? ''

/**
 * Fails the test if the conversation does not match the logs. `exact` means that every outcome is
 * known, so the logs have every version.
 */
export async function checkConversation(
  base: string,
  id: string,
  logs: readonly WriterLog[],
  { exact }: { exact: boolean },
): Promise<void> {
  const messages = await readAll(base, id)
  const conversation = await readConversation(base, id)

  // The numbers have no gaps, and no version is above the conversation's.
  expect(messages.map(({ seq }) => seq)).toEqual(messages.map((_, index) => index + 1))
  expect(conversation.lastSeq).toBe(messages.length)
  for (const { version } of messages) expect(version).toBeLessThanOrEqual(conversation.version)

  // Every turn is whole: a human message directly followed by its answer, or an answer alone.
  const turns = [...Map.groupBy(messages, ({ turnId }) => turnId).values()]
  for (const turn of turns) {
    const [first, second] = turn
    expect(turn.map(({ role }) => role)).toEqual(turn.length === 1 ? ['ai'] : ['human', 'ai'])
    expect(turn[0]?.turnId).toBe(turn[0]?.id)
    if (first !== undefined && second !== undefined) expect(second.seq).toBe(first.seq + 1)
  }

  // Every acknowledged turn is stored once, word for word. Every stored turn was sent.
  const byName = Map.groupBy(turns, nameOf)
  const sentNames = new Set(logs.flatMap((log) => [...log.turns.keys(), ...log.unknown]))
  for (const [name, found] of byName) {
    if (!sentNames.has(name)) throw new Error(`no writer sent the turn ${name}`)
    expect(found).toHaveLength(1)
  }
  for (const log of logs) {
    for (const [name, { sent, answer }] of log.turns) {
      const [turn] = byName.get(name) ?? []
      if (turn === undefined) throw new Error(`the acknowledged turn ${name} is not stored`)
      expect(turn.map((message) => message.id)).toEqual(answer.messages.map(({ id }) => id))
      expect(turn.at(-1)?.parts).toEqual(sent.assistant.responses)
      expect(turn.map(({ seq }) => seq)).toEqual(answer.messages.map(({ seq }) => seq))
    }
    for (const [messageId, { version, urls }] of log.audio) {
      const message = messages.find((candidate) => candidate.id === messageId)
      const newest = Math.max(...logs.map((log) => log.audio.get(messageId)?.version ?? 0))
      if (version !== newest || message === undefined) continue
      // A later change with an unknown outcome may have replaced this audio.
      expect(message.version).toBeGreaterThanOrEqual(version)
      if (exact || message.version === version) expect(message.ttsAudioUrls).toEqual(urls)
    }
  }

  // The time of the conversation is that of its latest message.
  const latest =
    messages
      .map(({ createdAt }) => createdAt)
      .sort()
      .at(-1) ?? null
  expect(conversation.lastMessageAt).toBe(latest)

  const versions = logs.flatMap((log) => log.versions)
  expect(new Set(versions).size).toBe(versions.length)
  if (exact) {
    expect(versions.sort((a, b) => a - b)).toEqual(
      Array.from({ length: conversation.version - 1 }, (_, index) => index + 2),
    )
  }
}
