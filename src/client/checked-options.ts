/** Checks of options. They refuse an option that cannot work at once, and not at every call that needs it. */

/** The address without a slash at its end. Throws a TypeError if no path can be added to it. */
export function serviceUrl(url: string | URL): string {
  try {
    const { href } = new URL(url)
    // The text is checked, because `search` is the same for an empty query and for none.
    if (/^https?:[^?#]*$/.test(href)) return href.replace(/\/+$/, '')
  } catch {
    // `url` is no URL.
  }
  throw new TypeError('url must be http or https, no query, no fragment')
}

/** The longest wait of a timer in every runtime, in milliseconds. Some runtimes end a longer wait at once. */
const msMax = 2 ** 31 - 1

/** Returns `ms`. Throws a RangeError if it is not a number of milliseconds that a timer can wait. */
export function checkedMs(name: string, ms: number): number {
  if (typeof ms === 'number' && ms >= 0 && ms <= msMax) return ms
  throw new RangeError(`${name} must be 0 to ${msMax} ms`)
}
