/** Authentication: the one place where a request gets its principal, for REST and for sockets. */
import type { Config } from './config.ts'
import { localPrincipal, type Principal } from './conversation/wire/principal.ts'

/** The principal of a request. Credentials are not checked yet: every caller is the local user. */
export function authenticate(_request: Request): Principal {
  return localPrincipal
}

/**
 * Whether callers are not authenticated: then every caller that reaches the service may do
 * everything.
 */
export const isOpen = ({ mode }: Config['auth']): boolean => mode === undefined || mode === 'none'
