/** The check of idempotency keys: the service accepts them, and an HTTP header carries them unchanged. */
import { Problem } from '../../problem-error.ts'

/** Returns the key. Throws `idempotency-key-invalid` if it is not 1 to 255 visible ASCII characters. */
export function checkedKey(key: string): string {
  if (typeof key === 'string' && /^[!-~]{1,255}$/.test(key)) return key
  throw new Problem('idempotency-key-invalid')
}
