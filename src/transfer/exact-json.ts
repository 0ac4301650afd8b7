/** JSON text -> its value, with the source text of every number that JavaScript would print otherwise. Pure. */

export type ExactJson = {
  readonly value: unknown
  /** The source text of the number `holder[name]`. */
  numberText(holder: object, name: string): string
  /** Whether any number of the value has no exact counterpart in JavaScript. */
  readonly hasInexact: boolean
}

type Reviver = (
  this: unknown,
  name: string,
  value: unknown,
  context?: { source?: string },
) => unknown

/** Parses `text`. Throws what `JSON.parse` throws: a `SyntaxError`, or a `RangeError` for nesting without end. */
export function parseExact(text: string): ExactJson {
  const texts = new WeakMap<object, Map<string, string>>()
  let hasInexact = false
  const reviver: Reviver = function (name, value, context) {
    const source = context?.source
    if (typeof value !== 'number' || source === undefined || source === String(value)) return value
    hasInexact ||= inexactness(source, value) !== undefined
    if (typeof this !== 'object' || this === null) return value
    const own = texts.get(this) ?? new Map<string, string>()
    texts.set(this, own.set(name, source))
    return value
  }
  const value: unknown = JSON.parse(text, reviver)
  return {
    value,
    get hasInexact() {
      return hasInexact
    },
    numberText: (holder, name) => texts.get(holder)?.get(name) ?? String(Reflect.get(holder, name)),
  }
}

/**
 * Why a number cannot be kept as it was sent: an integer literal that JavaScript would print otherwise,
 * or a number beyond the range of a double. Fractions are read as doubles, as everywhere; `-0` is 0.
 */
export function inexactness(source: string, value: number): string | undefined {
  if (!Number.isFinite(value)) return `${shortened(source)} is beyond the range of a double`
  if (!/^-?\d+$/.test(source) || source === '-0' || source === String(value)) return undefined
  return `the integer ${shortened(source)} cannot be kept exactly: it would become ${value}`
}

const shortened = (source: string) => (source.length > 40 ? `${source.slice(0, 40)}…` : source)
