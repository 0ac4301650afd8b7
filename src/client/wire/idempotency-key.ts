/** Idempotency keys that the service takes and that an HTTP header carries unchanged. */
import { Problem } from '../../problem-error.ts'

/** Throws `idempotency-key-invalid`. */
export function checkedKey(key: string): string {
  if (typeof key === 'string' && /^[!-~]{1,255}$/.test(key)) return key
  throw new Problem('idempotency-key-invalid')
}
