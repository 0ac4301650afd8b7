/** The limits of Deno's KV. Every adapter enforces them, so that code works the same on all. */
import { valueSize } from './value.ts'

/**
 * Bytes of an encoded key. Deno reads a key as a range that ends one byte after it, so Deno's
 * message for a read names one byte more.
 */
const keyBytes = 2048
const readKeyBytes = 2049
/** Bytes of a value's payload. */
const valueBytes = 65_536
/**
 * Milliseconds, some 4,000 years, so that a store can keep a time in six bytes. Deno allows more.
 */
const expireInMax = 2 ** 47
const keysPerRead = 10
const batchEntries = 1000
const checksPerCommit = 100
const changesPerCommit = 1000
const keyBytesPerCommit = 81_920
const bytesPerCommit = 819_200

/** Checks the key of a read. An empty key is allowed and never found. */
export function checkReadKey(encoded: string): string {
  if (encoded.length > readKeyBytes - 1) {
    throw new TypeError(`Key too large for read (max ${readKeyBytes} bytes)`)
  }
  return encoded
}

export function checkWrittenKey(encoded: string): string {
  if (encoded === '') throw new TypeError('Key cannot be empty')
  if (encoded.length > keyBytes) {
    throw new TypeError(`Key too large for write (max ${keyBytes} bytes)`)
  }
  return encoded
}

export function checkValue(encoded: Uint8Array): Uint8Array {
  if (valueSize(encoded) > valueBytes) {
    throw new TypeError(`Value too large (max ${valueBytes} bytes)`)
  }
  return encoded
}

export function checkReadCount(keys: readonly unknown[], what: 'ranges' | 'keys'): void {
  if (keys.length > keysPerRead) throw new TypeError(`Too many ${what} (max ${keysPerRead})`)
}

export function checkExpireIn(expireIn: number | undefined): number | undefined {
  if (expireIn !== undefined && !(Number.isSafeInteger(expireIn) && expireIn >= 0)) {
    throw new TypeError(`expireIn must be a non-negative integer: received ${expireIn}`)
  }
  if (expireIn !== undefined && expireIn > expireInMax) {
    throw new TypeError(`expireIn is too large (max ${expireInMax} milliseconds): ${expireIn}`)
  }
  return expireIn
}

/** Checks the operand of a counter. */
export function checkOperand(operand: bigint): bigint {
  if (typeof operand !== 'bigint') {
    throw new TypeError(`Value must be a bigint: received ${typeof operand}`)
  }
  if (operand < 0n) throw new RangeError(`Value must be a positive bigint: received ${operand}`)
  if (operand >= 2n ** 64n) throw new RangeError('Value must fit in a 64-bit unsigned integer')
  return operand
}

export function checkVersionstamp(versionstamp: string | null | undefined): string | null {
  if (versionstamp === null || versionstamp === undefined) return null
  if (!/^[0-9a-f]{20}$/.test(versionstamp)) {
    throw new TypeError('Invalid check: a versionstamp has 20 hexadecimal digits, or is null')
  }
  return versionstamp
}

/**
 * Checks a commit. `checks` is their number; `sizes` are the bytes of each change's key and value.
 */
export function checkCommit(
  checks: number,
  sizes: readonly { readonly key: number; readonly value: number }[],
): void {
  if (checks > checksPerCommit) throw new TypeError(`Too many checks (max ${checksPerCommit})`)
  if (sizes.length > changesPerCommit) {
    throw new TypeError(`Too many mutations (max ${changesPerCommit})`)
  }
  const keys = sizes.reduce((sum, { key }) => sum + key, 0)
  if (keys + sizes.reduce((sum, { value }) => sum + value, 0) > bytesPerCommit) {
    throw new TypeError(`Total mutation size too large (max ${bytesPerCommit} bytes)`)
  }
  if (keys > keyBytesPerCommit) {
    throw new TypeError(`Total key size too large (max ${keyBytesPerCommit} bytes)`)
  }
}

export function checkBatch(batchSize: number): number {
  if (!(Number.isSafeInteger(batchSize) && batchSize > 0)) {
    throw new TypeError(`batchSize must be a positive integer: received ${batchSize}`)
  }
  if (batchSize > batchEntries) throw new TypeError(`Too many entries (max ${batchEntries})`)
  return batchSize
}

export function checkListLimit(limit: number | undefined): number {
  if (limit === undefined) return Number.POSITIVE_INFINITY
  if (!(Number.isSafeInteger(limit) && limit > 0)) {
    throw new TypeError(`Limit must be a positive integer: received ${limit}`)
  }
  return limit
}

export function checkConsistency(consistency: string | undefined): void {
  if (consistency !== undefined && consistency !== 'strong' && consistency !== 'eventual') {
    throw new TypeError(`Unknown consistency ${consistency}: it is strong or eventual`)
  }
}
