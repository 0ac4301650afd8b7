/**
 * The encoding of a script's argument and reply: nested lists of byte strings as MessagePack, which
 * Redis' Lua reads and writes natively. Fifty entries in one reply cost the client a fraction of
 * fifty replies.
 */
import { Buffer } from 'node:buffer'

/** A value to encode. A string has one character for each byte. */
export type Frame = string | Uint8Array | readonly Frame[]

export function packFrame(frame: Frame): Buffer {
  const buffer = Buffer.allocUnsafe(sizeOf(frame))
  write(buffer, 0, frame)
  return buffer
}

const headSize = (length: number, short: number, isList: boolean) => {
  if (length < short) return 1
  if (length < 256 && !isList) return 2
  return length < 65_536 ? 3 : 5
}

function sizeOf(frame: Frame): number {
  if (typeof frame === 'string' || frame instanceof Uint8Array) {
    return headSize(frame.length, 32, false) + frame.length
  }
  return frame.reduce((sum, each) => sum + sizeOf(each), headSize(frame.length, 16, true))
}

function write(buffer: Buffer, at: number, frame: Frame): number {
  if (typeof frame === 'string') {
    const start = writeHead(buffer, at, frame.length, false)
    return start + buffer.write(frame, start, 'latin1')
  }
  if (frame instanceof Uint8Array) {
    const start = writeHead(buffer, at, frame.length, false)
    buffer.set(frame, start)
    return start + frame.length
  }
  let end = writeHead(buffer, at, frame.length, true)
  for (const each of frame) end = write(buffer, end, each)
  return end
}

function writeHead(buffer: Buffer, at: number, length: number, isList: boolean): number {
  const size = headSize(length, isList ? 16 : 32, isList)
  if (size === 1) return buffer.writeUInt8((isList ? 0x90 : 0xa0) + length, at)
  if (size === 2) return buffer.writeUInt8(length, buffer.writeUInt8(0xd9, at))
  if (size === 3) return buffer.writeUInt16BE(length, buffer.writeUInt8(isList ? 0xdc : 0xda, at))
  return buffer.writeUInt32BE(length, buffer.writeUInt8(isList ? 0xdd : 0xdb, at))
}

/** A list of byte strings, with the index at which each begins and ends. */
export type List = {
  readonly bytes: Buffer
  readonly items: readonly { readonly start: number; readonly end: number }[]
}

export function unpackList(bytes: Buffer): List {
  const items: { start: number; end: number }[] = []
  const [count, first] = readHead(bytes, 0)
  for (let at = first; items.length < count; ) {
    const [length, start] = readHead(bytes, at)
    at = start + length
    items.push({ start, end: at })
  }
  return { bytes, items }
}

/** Reads a length. Returns it and the index at which its contents begin. */
function readHead(buffer: Buffer, at: number): [number, number] {
  const tag = buffer.readUInt8(at)
  if (tag >= 0x90 && tag < 0xa0) return [tag - 0x90, at + 1]
  if (tag >= 0xa0 && tag < 0xc0) return [tag - 0xa0, at + 1]
  if (tag === 0xd9) return [buffer.readUInt8(at + 1), at + 2]
  if (tag === 0xda || tag === 0xdc) return [buffer.readUInt16BE(at + 1), at + 3]
  if (tag === 0xdb || tag === 0xdd) return [buffer.readUInt32BE(at + 1), at + 5]
  throw new TypeError(`A reply has the MessagePack tag ${tag}; lists of strings were expected`)
}

/** The message of a change of no key, which listeners ignore. */
export const emptyList = Buffer.from([0x90])
