/** Options that cannot work are refused where they are given, and not by every call that needs them. */

/** The address without a slash at its end. Throws a TypeError where no path can be added to it. */
export function serviceUrl(given: string | URL): string {
  try {
    const { href } = new URL(given)
    // The text, because `search` does not tell an empty query from none.
    if (/^https?:[^?#]*$/.test(href)) return href.replace(/\/+$/, '')
  } catch {
    // It is no URL.
  }
  throw new TypeError('url must be http or https, no query, no fragment')
}

/** The longest wait of a timer in every runtime, milliseconds: some end a longer one at once. */
const msMax = 2 ** 31 - 1

/** Throws a RangeError for what is no number of milliseconds. */
export function checkedMs(name: string, ms: number): number {
  if (typeof ms === 'number' && ms >= 0 && ms <= msMax) return ms
  throw new RangeError(`${name} must be 0 to ${msMax} ms`)
}
