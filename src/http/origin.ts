/**
 * Which web pages may open a socket. A browser sends any page's socket anywhere, unasked, with no
 * more than the page's origin; what is no browser sends none.
 */
import { isLoopback } from '../config.ts'

/** `allowed`: origins with commas between them, or `*`; empty for the service's own host alone. */
export function isAllowedOrigin({ headers, url }: Request, allowed: string): boolean {
  const origin = headers.get('origin')
  if (origin === null) return true
  const listed = allowed.split(',').map((one) => one.trim().toLowerCase())
  if (listed.includes('*') || listed.includes(origin.toLowerCase())) return true
  if (!URL.canParse(origin) || !URL.canParse(url)) return false
  const [page, host] = [new URL(origin).hostname, new URL(url).hostname]
  const bare = (name: string) => name.replace(/^\[|\]$/g, '')
  return page === host || (isLoopback(bare(page)) && isLoopback(bare(host)))
}
