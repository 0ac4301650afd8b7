/**
 * The host names that this service answers under. A page whose name is pointed at this machine ("DNS
 * rebinding") has the same origin as the service for its browser: only its `Host` tells them apart.
 */
import { isLoopback } from '../../config.ts'
import { BoundedMap } from '../../mechanics/bounded-map.ts'

/** `malformed`: not one host with or without a port. `refused`: well-formed, and not ours. */
export type HostVerdict = 'allowed' | 'refused' | 'malformed'

/** An absent or empty host is taken: every browser sends one, and health checks by HTTP/1.0 do not. */
export type HostRule = (host: string | null) => HostVerdict

/** A name, an IPv4 address or an IPv6 address in brackets, then perhaps a port. */
const form = /^([A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(:\d*)?$/

/**
 * `allowed`: host names with commas between them, or `*` for every well-formed one.
 * `allowsLoopback`: whether loopback names are taken as well.
 */
export function createHostRule(allowed: string, allowsLoopback: boolean): HostRule {
  const names = new Set(parseList(allowed).map(bareName))
  const allowsAny = names.has('*')
  const judge = (host: string): HostVerdict => {
    if (!form.test(host) || !URL.canParse(`http://${host}`)) return 'malformed'
    const name = nameOf(host)
    return allowsAny || names.has(name) || (allowsLoopback && isLoopbackName(name))
      ? 'allowed'
      : 'refused'
  }
  const remembered = memoize(judge)
  return (host) => (host === null || host === '' ? 'allowed' : remembered(host))
}

/** The host without its port, in lower case, an address in its usual form: `127.1` is `127.0.0.1`. */
const nameOf = (host: string): string => bareName(new URL(`http://${host}`).hostname)

const bareName = (name: string): string => name.toLowerCase().replace(/^\[|\]$|\.$/g, '')

/** Names below `localhost` are loopback, too (RFC 6761). */
export const isLoopbackName = (name: string): boolean =>
  isLoopback(bareName(name)) || bareName(name).endsWith('.localhost')

export const parseList = (setting: string): string[] =>
  setting.split(',').flatMap((one) => one.trim().toLowerCase() || [])

/** Remembers up to 64 verdicts: callers repeat a few values, and invented ones must not fill the memory. */
export function memoize<Value>(judge: (text: string) => Value): (text: string) => Value {
  const verdicts = new BoundedMap<string, Value>({ max: memoMax })
  return (text) => {
    let value = verdicts.use(text)
    if (value === undefined) {
      value = judge(text)
      if (text.length <= memoTextMax) verdicts.set(text, value)
    }
    return value
  }
}

const memoMax = 64
const memoTextMax = 300
