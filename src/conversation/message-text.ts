/** A message as the bytes that travel: one version of a message has one form, wherever its row came from. */
import { Buffer } from 'node:buffer'
import canonicalize from 'canonicalize'
import type { Message } from './wire.ts'

/**
 * JSON in UTF-8. What callers gave (`metadata`, the trace, `heard`) is in RFC 8785 form, for the
 * database keeps the members of its objects in another order than the caller sent them. Ids stand
 * first, and behind them, at one place in every message, what a view goes by.
 */
export function printMessage(message: Message): Uint8Array {
  const { id, conversationId, turnId, state, interruptedAt, ...others } = message
  const { memoryRetrievalTrace, metadata, heard, createdAt, ...rest } = others
  const ids = `{"id":"${id}","conversationId":"${conversationId}","turnId":"${turnId}"`
  const viewed = `"state":"${state}","interruptedAt":${JSON.stringify(interruptedAt)}`
  const given =
    memoryRetrievalTrace === null && metadata === null && heard === null
      ? '"memoryRetrievalTrace":null,"metadata":null,"heard":null'
      : `"memoryRetrievalTrace":${canonicalize(memoryRetrievalTrace)},"metadata":${canonicalize(metadata)},"heard":${canonicalize(heard)}`
  return Buffer.from(
    `${ids},${viewed},${JSON.stringify(rest).slice(1, -1)},${given},"createdAt":"${createdAt}"}`,
  )
}

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
