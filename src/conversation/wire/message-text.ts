/**
 * Prints messages, that is, turns them into JSON text. Each version of a message has one printed
 * form, no matter which node or write printed it.
 */
import { Buffer } from 'node:buffer'
import canonicalize from 'canonicalize'
import type { Message } from './schemas.ts'

/**
 * The version of the messages' JSON format. Raise it whenever that format changes: cached messages
 * with another number are not used.
 */
export const wireNumber = 2

/**
 * A message as JSON. `metadata`, `memoryRetrievalTrace` and `heard` are in RFC 8785 form, because
 * the database stores the members of their objects in another order than the caller sent them. The
 * ids are first, then `state` and `interruptedAt`, which views read at a fixed offset.
 */
export function messageText(message: Message): string {
  const printed = texts.get(message)
  if (printed !== undefined) return printed
  const text = print(message)
  texts.set(message, text)
  return text
}

/** The text of `messageText` in UTF-8. */
export function printMessage(message: Message): Uint8Array {
  const printed = textBytes.get(message)
  if (printed !== undefined) return printed
  const bytes = Buffer.from(messageText(message))
  textBytes.set(message, bytes)
  return bytes
}

/**
 * Printed messages, so that the cache, the followers and the answer share one text and its bytes.
 */
const texts = new WeakMap<Message, string>()
const textBytes = new WeakMap<Message, Uint8Array>()

function print(message: Message): string {
  const { id, conversationId, turnId, state, interruptedAt } = message
  const { memoryRetrievalTrace, metadata, heard, createdAt } = message
  const ids = `{"id":"${id}","conversationId":"${conversationId}","turnId":"${turnId}"`
  const viewFields = `"state":"${state}","interruptedAt":${JSON.stringify(interruptedAt)}`
  // The members are named one by one: to omit members from a copy takes longer than to print them.
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
  } satisfies Omit<Message, PrintedApart>)
  const callersJson =
    memoryRetrievalTrace === null && metadata === null && heard === null
      ? '"memoryRetrievalTrace":null,"metadata":null,"heard":null'
      : `"memoryRetrievalTrace":${canonicalize(memoryRetrievalTrace)},"metadata":${canonicalize(metadata)},"heard":${canonicalize(heard)}`
  return `${ids},${viewFields},${rest.slice(1, -1)},${callersJson},"createdAt":"${createdAt}"}`
}

/** Members of a message that are printed before or after the others. */
type PrintedApart =
  | 'id'
  | 'conversationId'
  | 'turnId'
  | 'state'
  | 'interruptedAt'
  | 'memoryRetrievalTrace'
  | 'metadata'
  | 'heard'
  | 'createdAt'

/** The message of a printed text. */
export const parseMessage = (text: Uint8Array): Message =>
  JSON.parse(Buffer.from(text.buffer, text.byteOffset, text.byteLength).toString()) as Message

const uuidLength = 36
const idAt = '{"id":"'.length
const turnIdAt = idAt + uuidLength + '","conversationId":"","turnId":"'.length + uuidLength
const stateAt = '{"id":"","conversationId":"","turnId":"","state":"'.length + 3 * uuidLength
const interruptedAt = stateAt + 'filled","interruptedAt":'.length

const states: Readonly<Record<number, Message['state']>> = {
  [0x65]: 'expired',
  [0x66]: 'filled',
  [0x70]: 'pending',
}

const uuidIn = (text: Uint8Array, start: number): string =>
  Buffer.from(text.buffer, text.byteOffset + start, uuidLength).toString('latin1')

/** The id of a printed message's turn, and whether the message is the first one of it. */
export function turnOf(text: Uint8Array): { turnId: string; isFirst: boolean } {
  const turnId = uuidIn(text, turnIdAt)
  return { turnId, isFirst: uuidIn(text, idAt) === turnId }
}

/** The state of a printed message. It reads one byte, the initial of the state. */
export const stateOf = (text: Uint8Array): Message['state'] =>
  states[text[stateAt] ?? 0] ?? 'filled'

/**
 * Whether a printed message was interrupted: its `interruptedAt` is a time. The message must be
 * filled.
 */
export const isInterrupted = (text: Uint8Array): boolean => text[interruptedAt] !== 0x6e
