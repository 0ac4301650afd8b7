/** Codes of the runtime and the system that say too little, or the wrong thing, as a sentence. */
import { closeSync, openSync } from 'node:fs'

/** What a connect or a call failed with -> what may be said of it. Answers of a server stay as they are. */
export function plainReason(code: string): string {
  // Bun tells of a refused connection where this process could open none.
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
