/** A message as the bytes that travel: one version of a message has one form, wherever its row came from. */
import { Buffer } from 'node:buffer'
import canonicalize from 'canonicalize'
import type { Message } from './wire.ts'

/**
 * JSON in UTF-8. What callers gave (`metadata` and the trace) is in RFC 8785 form, for the database
 * keeps the members of its objects in another order than the caller sent them.
 */
export function printMessage(message: Message): Uint8Array {
  const { memoryRetrievalTrace, metadata, createdAt, ...rest } = message
  const given =
    memoryRetrievalTrace === null && metadata === null
      ? ',"memoryRetrievalTrace":null,"metadata":null'
      : `,"memoryRetrievalTrace":${canonicalize(memoryRetrievalTrace)},"metadata":${canonicalize(metadata)}`
  return Buffer.from(`${JSON.stringify(rest).slice(0, -1)}${given},"createdAt":"${createdAt}"}`)
}

/** The message again. */
export const parseMessage = (text: Uint8Array): Message =>
  JSON.parse(Buffer.from(text.buffer, text.byteOffset, text.byteLength).toString()) as Message
