/**
 * Sentences in place of error codes of the runtime and the system that say too little or mislead.
 */
import { closeSync, openSync } from 'node:fs'

/**
 * Words the reason of a failed connect or call.
 * @param code The error code, or another text, which is returned unchanged.
 */
export function plainReason(code: string): string {
  // Bun reports a refused connection if this process has no file descriptor left.
  if (/^E[MN]FILE$/.test(code) || (/^E[A-Z]+$/.test(code) && isOutOfDescriptors()))
    return 'this process has no file descriptor left (EMFILE): raise its limit (ulimit -n)'
  if (/CERT|SIGNATURE/.test(code))
    return `its certificate is not trusted here (${code}): name the one that signed it in NODE_EXTRA_CA_CERTS, or correct the host`
  return code
}

function isOutOfDescriptors(): boolean {
  try {
    closeSync(openSync('/dev/null', 'r'))
    return false
  } catch {
    return true
  }
}
