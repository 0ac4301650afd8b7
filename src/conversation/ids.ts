/** Ids and opaque tokens. */
import { crc32 } from 'node:zlib'
import { v7 } from 'uuid'
import { Problem } from '../problem.ts'

/** A new UUIDv7: random, and roughly in the order of time. */
export const newId = (): string => v7()

/** The canonical, lower-case form under which ids are stored and compared. */
export const canonicalId = (uuid: string): string => uuid.toLowerCase()

/**
 * A cursor names a conversation, an era and a version. Layout: format (1 byte), era (1), version
 * (6, big-endian), conversation id (16), CRC-32 of all that (4), in base64url. The era is reserved:
 * it will say that this Postgres was restored.
 */
const format = 1
const era = 0
const cursorBytes = 28

export function encodeCursor(conversationId: string, version: number): string {
  const bytes = Buffer.alloc(cursorBytes)
  bytes.writeUInt8(format, 0)
  bytes.writeUInt8(era, 1)
  bytes.writeUIntBE(version, 2, 6)
  bytes.write(conversationId.replaceAll('-', ''), 8, 'hex')
  bytes.writeUInt32BE(crc32(bytes.subarray(0, 24)), 24)
  return bytes.toString('base64url')
}

/** The version a cursor names. A cursor of another conversation, or a mangled one, is a problem. */
export function decodeCursor(conversationId: string, cursor: string): number {
  const bytes = Buffer.from(cursor, 'base64url')
  const whole =
    bytes.length === cursorBytes &&
    bytes.toString('base64url') === cursor &&
    bytes.readUInt8(0) === format &&
    bytes.readUInt8(1) === era &&
    bytes.readUInt32BE(24) === crc32(bytes.subarray(0, 24))
  if (!whole) throw new Problem('cursor-invalid', 'The cursor is mangled.')
  if (bytes.toString('hex', 8, 24) !== conversationId.replaceAll('-', ''))
    throw new Problem('cursor-invalid', 'The cursor belongs to another conversation.')
  return bytes.readUIntBE(2, 6)
}

/** A page token: where a keyset list goes on. `list` keeps one list's token out of another. */
export function encodePage(list: string, keys: readonly string[]): string {
  return Buffer.from(JSON.stringify([list, ...keys])).toString('base64url')
}

export function decodePage(list: string, length: number, page: string): string[] {
  const invalid = new Problem('page-invalid', 'The page token is not one of this list.')
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(page, 'base64url').toString())
  } catch {
    throw invalid
  }
  if (!Array.isArray(value) || value.length !== length + 1) throw invalid
  const [name, ...keys] = value
  if (name !== list || !keys.every((key): key is string => typeof key === 'string')) throw invalid
  return keys
}
