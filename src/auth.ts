/** Who asks: the one place where a request becomes a principal, for REST and sockets alike. */
import type { Config } from './config.ts'
import { localPrincipal, type Principal } from './conversation/wire/principal.ts'

/** Credentials are not checked yet: everyone who reaches the service is its local user. */
export function authenticate(_request: Request): Principal {
  return localPrincipal
}

/** Whether nobody is asked who they are: whoever reaches the service may do everything. */
export const isOpen = ({ mode }: Config['auth']): boolean => mode === undefined || mode === 'none'
