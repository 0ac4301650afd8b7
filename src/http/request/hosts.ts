/**
 * The host names that the service answers under. If a page points its own name at this machine
 * ("DNS rebinding"), the browser takes the service for a part of that page. Only the `Host` header
 * tells them apart.
 */
import { isLoopback } from '../../config.ts'
import { BoundedMap } from '../../mechanics/bounded-map.ts'

/**
 * `malformed`: not one host, with or without a port. `refused`: well-formed, but not a name of this
 * service.
 */
export type HostVerdict = 'allowed' | 'refused' | 'malformed'

/**
 * Judges a `Host` header. An absent or empty one is allowed: browsers always send it, HTTP/1.0
 * probes do not.
 */
export type HostRule = (host: string | null) => HostVerdict

/** A name, an IPv4 address or an IPv6 address in brackets, optionally with a port. */
const form = /^([A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(:\d*)?$/

/**
 * Makes the rule of the settings.
 * @param allowed host names, separated by commas, or `*` for every well-formed one
 * @param allowsLoopback whether loopback names are allowed as well
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

/**
 * The host in lower case, without its port. An address gets its usual form: `127.1` is `127.0.0.1`.
 */
const nameOf = (host: string): string => bareName(new URL(`http://${host}`).hostname)

const bareName = (name: string): string => name.toLowerCase().replace(/^\[|\]$|\.$/g, '')

/** Whether a name or address is loopback. Names below `localhost` are, too (RFC 6761). */
export const isLoopbackName = (name: string): boolean =>
  isLoopback(bareName(name)) || bareName(name).endsWith('.localhost')

/** The items of a setting that is a list separated by commas, in lower case. */
export const parseList = (setting: string): string[] =>
  setting.split(',').flatMap((one) => one.trim().toLowerCase() || [])

/**
 * Remembers the verdicts of `judge` for up to 64 texts. Callers repeat a few texts, and invented
 * ones must not fill the memory.
 */
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
/** Verdicts on texts of more characters are not remembered. */
const memoTextMax = 300
