/** A message as the bytes that travel: one version of a message has one form, wherever its row came from. */
import { Buffer } from 'node:buffer'
import canonicalize from 'canonicalize'
import type { Message } from './schemas.ts'

/** Raised whenever the printed form of a message changes: what a cache holds in another form is not used. */
export const wireNumber = 2

/**
 * JSON. What callers gave (`metadata`, the trace, `heard`) is in RFC 8785 form, for the
 * database keeps the members of its objects in another order than the caller sent them. Ids stand
 * first, and behind them, at one place in every message, what a view goes by.
 */
export function messageText(message: Message): string {
  const before = texts.get(message)
  if (before !== undefined) return before
  const text = print(message)
  texts.set(message, text)
  return text
}

/** The same in UTF-8. */
export function printMessage(message: Message): Uint8Array {
  const before = textBytes.get(message)
  if (before !== undefined) return before
  const bytes = Buffer.from(messageText(message))
  textBytes.set(message, bytes)
  return bytes
}

/** Of one commit, the cache, the followers and the answer take the same text, and the same bytes. */
const texts = new WeakMap<Message, string>()
const textBytes = new WeakMap<Message, Uint8Array>()

function print(message: Message): string {
  const { id, conversationId, turnId, state, interruptedAt } = message
  const { memoryRetrievalTrace, metadata, heard, createdAt } = message
  const ids = `{"id":"${id}","conversationId":"${conversationId}","turnId":"${turnId}"`
  const viewed = `"state":"${state}","interruptedAt":${JSON.stringify(interruptedAt)}`
  // Named one by one: to leave members out of a copy takes longer than to print them.
  const rest = JSON.stringify({
    seq: message.seq,
    version: message.version,
    role: message.role,
    parts: message.parts,
    content: message.content,
    messageType: message.messageType,
    voiceSessionId: message.voiceSessionId,
    durationSeconds: message.durationSeconds,
    segmentId: message.segmentId,
    ttsAudioUrls: message.ttsAudioUrls,
    speechEndedAt: message.speechEndedAt,
    firstAudioAt: message.firstAudioAt,
  } satisfies Omit<Message, Apart>)
  const given =
    memoryRetrievalTrace === null && metadata === null && heard === null
      ? '"memoryRetrievalTrace":null,"metadata":null,"heard":null'
      : `"memoryRetrievalTrace":${canonicalize(memoryRetrievalTrace)},"metadata":${canonicalize(metadata)},"heard":${canonicalize(heard)}`
  return `${ids},${viewed},${rest.slice(1, -1)},${given},"createdAt":"${createdAt}"}`
}

type Apart =
  | 'id'
  | 'conversationId'
  | 'turnId'
  | 'state'
  | 'interruptedAt'
  | 'memoryRetrievalTrace'
  | 'metadata'
  | 'heard'
  | 'createdAt'

/** The message again. */
export const parseMessage = (text: Uint8Array): Message =>
  JSON.parse(Buffer.from(text.buffer, text.byteOffset, text.byteLength).toString()) as Message

const uuidLength = 36
const stateAt = '{"id":"","conversationId":"","turnId":"","state":"'.length + 3 * uuidLength
const interruptedAt = stateAt + 'filled","interruptedAt":'.length

const states: Readonly<Record<number, Message['state']>> = {
  [0x65]: 'expired',
  [0x66]: 'filled',
  [0x70]: 'pending',
}

/** The state of a printed message, without reading all of it: by its initial. */
export const stateOf = (text: Uint8Array): Message['state'] =>
  states[text[stateAt] ?? 0] ?? 'filled'

/** Whether a printed message, which is filled, was interrupted: it has a time, and not `null`. */
export const isInterrupted = (text: Uint8Array): boolean => text[interruptedAt] !== 0x6e
