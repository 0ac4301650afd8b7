/** Who asks: the one place where a request becomes a principal, for REST and sockets alike. */
import { localPrincipal, type Principal } from './conversation/principal.ts'

/** Credentials are not checked yet: everyone who reaches the service is its local user. */
export function authenticate(_request: Request): Principal {
  return localPrincipal
}
