/**
 * Numbers that JSON can carry and JavaScript cannot keep. Judged on the text as it was sent: once it
 * is parsed, 9007199254740993 is 9007199254740992, and nobody can tell.
 */

/** A number of a JSON text that is not kept as it was written. */
export type InexactNumber = {
  /** Its place in the text: a JSON Pointer (RFC 6901). */
  readonly pointer: string
  /** As it was written. */
  readonly source: string
  /** Whether it is beyond the range of a double, and would become null. */
  readonly isInfinite: boolean
}

/**
 * The numbers of a JSON text that JavaScript does not keep, `max` of them at most; of a name that
 * stands twice in an object, the last value counts, as in `JSON.parse`. There are two kinds:
 *
 * - An integer literal (digits alone, perhaps with a minus) that JavaScript prints otherwise:
 *   9007199254740993, 12345678901234567890, and 1000000000000000000000, which becomes 1e+21. Kept are
 *   100000000000000000000, every integer of up to 15 digits, and `-0`, which is 0.
 * - Any number beyond the range of a double: 1e400, 1.0e400.
 *
 * A literal with a fraction or an exponent is a decimal, which is read as the nearest double, like
 * 0.1234567890123456789; 1e21 is one, too. The text must be one that `JSON.parse` takes.
 */
export function inexactNumbers(text: string, max = 50): InexactNumber[] {
  // Most texts have nothing that could be one, and of the rest most numbers are kept.
  if (!(hasLongInteger(text) || longExponent.test(text)) || !hasInexact(text)) return []
  const found = new Map<unknown, Map<string, string>>()
  let count = 0
  const root: unknown = JSON.parse(
    text,
    function note(
      this: unknown,
      name: string,
      value: unknown,
      // The compiler's library does not know it yet.
      context?: { readonly source?: string },
    ) {
      const source = context?.source
      if (count < max && typeof value === 'number' && source !== undefined && !isKept(source)) {
        count += 1
        const names = found.get(this) ?? new Map<string, string>()
        found.set(this, names.set(name, source))
      }
      return value
    },
  )
  if (found.size === 0) return []
  const list: InexactNumber[] = []
  const add = (pointer: string, source: string) =>
    list.push({ pointer, source, isInfinite: !Number.isFinite(Number(source)) })
  const walk = (value: object, pointer: string): void => {
    const below = (name: string) => `${pointer}/${escapePointer(name)}`
    for (const [name, source] of found.get(value) ?? []) add(below(name), source)
    for (const [name, item] of Object.entries(value)) {
      if (list.length === count) return
      if (typeof item === 'object' && item !== null) walk(item, below(name))
    }
  }
  if (typeof root === 'object' && root !== null) walk(root, '')
  else add('', text.trim())
  return list
}

/** A name as a part of a JSON Pointer. */
export const escapePointer = (name: string): string =>
  name.replaceAll('~', '~0').replaceAll('/', '~1')

/** Sixteen digits in a row that are no fraction: 3 us for 58 KB of prose, and 0.06 us for a usual turn. */
const longInteger = /(?<![\d.])\d{16}/
const longExponent = /\d[eE]\+?\d{3}/

/** Whether a text may hold an integer that is not kept. Quick, and wrong of some that only a text says. */
export const hasLongInteger = (text: string): boolean => longInteger.test(text)

/** Either of them where a number begins. Of what only a text says, some is taken for a number here. */
const literals = /(?:^|[[:,\s])-?(?:\d{16}|\d[\d.]*[eE]\+?\d{3})[\d.eE+-]*/g

function hasInexact(text: string): boolean {
  for (const [literal] of text.matchAll(literals))
    if (!isKept(literal.replace(/^[[:,\s]/, ''))) return true
  return false
}

function isKept(source: string): boolean {
  const value = Number(source)
  if (!Number.isFinite(value)) return false
  return /[.eE]/.test(source) || source === '-0' || String(value) === source
}
