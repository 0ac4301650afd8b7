/** Collects the checks and changes of a commit, and checks its limits when it is committed. */
import type { KvAtomic, KvCommitError, KvCommitResult } from '../../src/ports/kv.ts'
import { encodeKey } from './key.ts'
import type { Change, Check } from './kv-store.ts'
import {
  checkCommit,
  checkExpireIn,
  checkOperand,
  checkReadKey,
  checkValue,
  checkVersionstamp,
  checkWrittenKey,
} from './limits.ts'
import { encodeValue, valueSize } from './value.ts'

/** Bytes of a counter. */
const operandBytes = 8

/** Sends a commit. It returns the versionstamp; undefined if a check failed. */
export type Commit = (
  checks: readonly Check[],
  changes: readonly Change[],
) => Promise<string | undefined>

/**
 * Makes the atomic operation of the port. A wrong value throws in the call that adds it, as in
 * Deno; a broken limit rejects `commit`.
 * @param commit Called with the checks and the changes.
 */
export function createAtomic(commit: Commit): KvAtomic {
  const checks: Check[] = []
  const changes: Change[] = []
  const sizes: { key: number; value: number }[] = []
  const add = (change: Change, value: number) => {
    changes.push(change)
    sizes.push({ key: change.key.length, value })
    return atomic
  }
  const count =
    (type: 'sum' | 'min' | 'max') => (key: Parameters<KvAtomic[typeof type]>[0], n: bigint) =>
      add({ type, key: encodeKey(key), operand: checkOperand(n) }, operandBytes)
  const atomic: KvAtomic = {
    check(...added) {
      for (const { key, versionstamp } of added) {
        checks.push({ key: encodeKey(key), versionstamp: checkVersionstamp(versionstamp) })
      }
      return atomic
    },
    set(key, value, options) {
      const expireIn = checkExpireIn(options?.expireIn)
      const encoded = encodeValue(value)
      return add({ type: 'set', key: encodeKey(key), value: encoded, expireIn }, valueSize(encoded))
    },
    delete: (key) => add({ type: 'delete', key: encodeKey(key) }, 0),
    sum: count('sum'),
    min: count('min'),
    max: count('max'),
    async commit(): Promise<KvCommitResult | KvCommitError> {
      checkCommit(checks.length, sizes)
      for (const { key } of checks) checkReadKey(key)
      for (const change of changes) {
        checkWrittenKey(change.key)
        if (change.type === 'set') checkValue(change.value)
      }
      const versionstamp = await commit(checks, changes)
      return versionstamp === undefined ? { ok: false } : { ok: true, versionstamp }
    },
  }
  return atomic
}
