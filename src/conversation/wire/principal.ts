/** The caller of a request. Every read and write has one, and every statement names its tenant. */
export type Principal = {
  readonly tenant: string
  readonly subject: string
  readonly scopes: 'all'
}

/** The principal of every request until the service authenticates its callers. */
export const localPrincipal: Principal = { tenant: 'default', subject: 'local', scopes: 'all' }
