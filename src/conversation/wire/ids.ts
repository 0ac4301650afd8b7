/** Ids, cursors and page tokens. */
import { crc32 } from 'node:zlib'
import { Problem } from '../../problem.ts'

/** The last id: its millisecond, the count of ids within it, and its beginning as text. */
let idMs = 0
let idCount = 0
let idStart = ''

const countMax = 0xfff
const counts = Array.from({ length: countMax + 1 }, (_, n) => n.toString(16).padStart(3, '0'))

/**
 * A new UUIDv7. It sorts after every id that this process made before, and roughly by time
 * among the ids of all processes. RFC 9562, 5.7 and 6.2, method 1: Unix milliseconds, 12 bits that
 * count the ids of one millisecond, 62 random bits. The random bits and the variant are copied from
 * the runtime's UUIDv4, which has them at the same positions.
 */
export function newId(): string {
  const now = Date.now()
  idCount = now > idMs ? 0 : idCount + 1
  if (now > idMs || idCount > countMax) {
    idMs = Math.max(now, idMs + 1)
    idCount = 0
    const hex = idMs.toString(16).padStart(12, '0')
    idStart = `${hex.slice(0, 8)}-${hex.slice(8)}-7`
  }
  return idStart + counts[idCount] + crypto.randomUUID().slice(idStart.length + 3)
}

/** The lower-case form in which ids are stored and compared. */
export const canonicalId = (uuid: string): string => uuid.toLowerCase()

/**
 * A cursor names a conversation, an era and a version. Layout: format (1 byte), era (1), version
 * (6, big-endian), conversation id (16), CRC-32 of the bytes before (4), in base64url. The era is
 * reserved to show that Postgres was restored from a backup.
 */
const format = 1
const era = 0
const cursorBytes = 28
const idAt = 8
const crcAt = 24

/** Every cursor is built in this one buffer. */
const cursorBuffer = Buffer.alloc(cursorBytes)
const checkedBytes = cursorBuffer.subarray(0, crcAt)
cursorBuffer.writeUInt8(format, 0)
cursorBuffer.writeUInt8(era, 1)

/** The cursor of a version of a conversation. */
export function encodeCursor(conversationId: string, version: number): string {
  cursorBuffer.writeUIntBE(version, 2, 6)
  cursorBuffer.fill(0, idAt, crcAt)
  cursorBuffer.write(conversationId.replaceAll('-', ''), idAt, 'hex')
  cursorBuffer.writeUInt32BE(crc32(checkedBytes), crcAt)
  return cursorBuffer.toString('base64url')
}

/**
 * The version that a cursor names. Fails with `cursor-invalid` if it is damaged or of another
 * conversation.
 */
export function decodeCursor(conversationId: string, cursor: string): number {
  const bytes = Buffer.from(cursor, 'base64url')
  const isIntact =
    bytes.length === cursorBytes &&
    bytes.toString('base64url') === cursor &&
    bytes.readUInt8(0) === format &&
    bytes.readUInt8(1) === era &&
    bytes.readUInt32BE(crcAt) === crc32(bytes.subarray(0, crcAt))
  if (!isIntact)
    throw new Problem(
      'cursor-invalid',
      'The cursor is damaged. Send it exactly as the service returned it.',
    )
  if (bytes.toString('hex', idAt, crcAt) !== conversationId.replaceAll('-', ''))
    throw new Problem('cursor-invalid', 'The cursor belongs to another conversation.')
  return bytes.readUIntBE(2, 6)
}

/**
 * A page token: the position after which a list continues. `list` names the list, because tokens of
 * others are refused.
 */
export function encodePage(list: string, keys: readonly string[]): string {
  return Buffer.from(JSON.stringify([list, ...keys])).toString('base64url')
}

/** The `length` keys of a page token. Fails with `page-invalid` if it is not a token of `list`. */
export function decodePage(list: string, length: number, page: string): string[] {
  const invalid = new Problem('page-invalid', 'The page token does not belong to this list.')
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
