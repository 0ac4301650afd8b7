/**
 * Access control before routing (CORS, DNS rebinding): by the host name of the request and the
 * origin of its web page. A browser sends any page's forms and sockets to any address without
 * asking the server first; only the page's origin tells pages apart. Programs other than browsers
 * send no origin.
 */
import { isLoopback } from '../../config.ts'
import { Problem } from '../../problem.ts'
import { createHostRule, isLoopbackName, memoize, parseList } from './hosts.ts'
import { pathOf } from './request-url.ts'

export type AccessSettings = {
  /**
   * The address that the service listens on, from `server.host`, also for an app on another server.
   */
  readonly host: string
  /** Origins, separated by commas, or `*`. */
  readonly allowedOrigins: string
  /** Host names, separated by commas, or `*`. */
  readonly allowedHosts: string
  /** Whether callers are not authenticated. */
  readonly isOpen: boolean
}

export type Access = {
  /**
   * Throws `host-invalid` or `host-refused`. For a write it also throws `origin-refused`, and
   * `media-type-unsupported` for a media type that a form can send without a preflight.
   */
  admit(request: Request): void
  /** Whether pages of this origin may read the answers. */
  mayRead(origin: string): boolean
  /**
   * Whether the request comes from a web page that may not write or connect. It is false for
   * programs.
   */
  isForbiddenPage(request: Request): boolean
}

/** A warning to the operator if every web page could use a service without authentication. */
export const accessWarning = ({ allowedOrigins, isOpen }: AccessSettings): string | undefined =>
  isOpen && parseList(allowedOrigins).includes('*')
    ? 'server.allowedOrigins is *, and callers are not authenticated: every web page that is opened in a browser which reaches this service can read and erase everything. Name the origins instead.'
    : undefined

const hostRefused =
  'The service does not answer under the name in the Host header. If the name is yours, add it to the setting server.allowedHosts.'
const hostRefusedOnLoopback =
  'The service does not answer under the name in the Host header. Use localhost or 127.0.0.1, or add the name to the setting server.allowedHosts.'

/** The problem for a web page that may not write, connect or send a preflight. */
export const originRefused = (): Problem =>
  new Problem(
    'origin-refused',
    'This web page may not write or connect. If the page is yours, add its origin to the setting server.allowedOrigins.',
  )

/** Paths that are answered under any Host: an orchestrator probes a node under names of its own. */
const forAnyHost = new Set(['/healthz', '/readyz', '/healthz/', '/readyz/'])

const reads = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Media types that a browser sends to any server without a preflight. */
const formType =
  /^\s*(application\/x-www-form-urlencoded|multipart\/form-data|text\/plain)\s*(;|$)/i

/** Makes the access rules from the settings of `server` and `auth`. */
export function createAccess({
  host,
  allowedOrigins,
  allowedHosts,
  isOpen,
}: AccessSettings): Access {
  const isLoopbackAlone = isLoopback(host)
  const isHostChecked = isOpen && (isLoopbackAlone || allowedHosts !== '')
  const judgeHost = createHostRule(isHostChecked ? allowedHosts : '*', isLoopbackAlone)
  const allowed = new Set(parseList(allowedOrigins).map(asSent))
  const mayRead = memoize(
    (origin) =>
      allowed.has('*') ||
      allowed.has(origin.toLowerCase()) ||
      (isLoopbackAlone && isLoopbackPage(origin)),
  )
  const isForbiddenPage = (request: Request): boolean => {
    const { headers } = request
    const origin = headers.get('origin')
    if (origin !== null) return !mayRead(origin) && !isOwn(origin, request)
    // Without `Origin`, `Sec-Fetch-Site` shows whether the page belongs to another site.
    const site = headers.get('sec-fetch-site')
    return site === 'cross-site' || site === 'same-site'
  }
  return {
    admit(request) {
      const { headers, method } = request
      const verdict = judgeHost(headers.get('host'))
      if (verdict === 'malformed') throw new Problem('host-invalid')
      if (verdict === 'refused' && !forAnyHost.has(pathOf(request)))
        throw new Problem('host-refused', isLoopbackAlone ? hostRefusedOnLoopback : hostRefused)
      if (reads.has(method)) return
      if (isForbiddenPage(request)) throw originRefused()
      const type = headers.get('content-type')
      if (type !== null && type !== 'application/json' && formType.test(type))
        throw new Problem(
          'media-type-unsupported',
          'The service does not accept forms. Send JSON with the header Content-Type: application/json.',
        )
    },
    mayRead,
    isForbiddenPage,
  }
}

/** The origin as browsers send it: without the scheme's default port. */
function asSent(origin: string): string {
  const named = URL.canParse(origin) ? new URL(origin).origin : 'null'
  return named === 'null' ? origin : named
}

function isLoopbackPage(origin: string): boolean {
  if (!URL.canParse(origin)) return false
  const { protocol, hostname } = new URL(origin)
  return (protocol === 'http:' || protocol === 'https:') && isLoopbackName(hostname)
}

/**
 * Whether the page comes from the host and port that the request was sent to. The scheme is not
 * compared, because a proxy may have ended TLS on the way.
 */
function isOwn(origin: string, { headers, url }: Request): boolean {
  if (!URL.canParse(origin)) return false
  const { protocol, host } = new URL(origin)
  const ownOrigin = `${protocol}//${headers.get('host') || new URL(url).host}`
  return host !== '' && URL.canParse(ownOrigin) && new URL(ownOrigin).host === host
}
