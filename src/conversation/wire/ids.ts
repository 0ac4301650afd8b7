/** Ids and opaque tokens. */
import { crc32 } from 'node:zlib'
import { Problem } from '../../problem.ts'

/** The millisecond and the count within it of the last id, and the first of these as text. */
let idMs = 0
let idCount = 0
let idStart = ''

const countMax = 0xfff
const counts = Array.from({ length: countMax + 1 }, (_, n) => n.toString(16).padStart(3, '0'))

/**
 * A new UUIDv7: later than every one before it of this process, roughly in the order of time among all.
 * RFC 9562, 5.7 and 6.2, method 1: Unix milliseconds, 12 bits that count within one, 62 random bits. The
 * runtime's UUIDv4 gives those, and the variant, in their places.
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
const idAt = 8
const crcAt = 24

/** Every cursor is put together in the same bytes. */
const made = Buffer.alloc(cursorBytes)
const madeBefore = made.subarray(0, crcAt)
made.writeUInt8(format, 0)
made.writeUInt8(era, 1)

export function encodeCursor(conversationId: string, version: number): string {
  made.writeUIntBE(version, 2, 6)
  made.fill(0, idAt, crcAt)
  made.write(conversationId.replaceAll('-', ''), idAt, 'hex')
  made.writeUInt32BE(crc32(madeBefore), crcAt)
  return made.toString('base64url')
}

/** The version a cursor names. A cursor of another conversation, or a mangled one, is a problem. */
export function decodeCursor(conversationId: string, cursor: string): number {
  const bytes = Buffer.from(cursor, 'base64url')
  const whole =
    bytes.length === cursorBytes &&
    bytes.toString('base64url') === cursor &&
    bytes.readUInt8(0) === format &&
    bytes.readUInt8(1) === era &&
    bytes.readUInt32BE(crcAt) === crc32(bytes.subarray(0, crcAt))
  if (!whole) throw new Problem('cursor-invalid', 'The cursor is mangled.')
  if (bytes.toString('hex', idAt, crcAt) !== conversationId.replaceAll('-', ''))
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
