/** A key as the service takes it, and as a header of HTTP carries it unchanged. */
import { Problem } from '../problem.ts'

/** Throws `idempotency-key-invalid`. */
export function checkedKey(key: string): string {
  if (typeof key === 'string' && /^[!-~]{1,255}$/.test(key)) return key
  throw new Problem('idempotency-key-invalid')
}
