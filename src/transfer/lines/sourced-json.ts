/**
 * Parses JSON and keeps the source text of its numbers: `1.0` and `1` are one value, but two ids.
 */

export type SourcedJson = {
  readonly value: unknown
  /** Number of members of all objects in the value. Two members of one name count as one. */
  readonly members: number
  /** The source text of the number `holder[name]`. */
  numberText(holder: object, name: string): string
}

type Reviver = (
  this: unknown,
  name: string,
  value: unknown,
  context?: { readonly source?: string },
) => unknown

/**
 * Throws like `JSON.parse`: a `SyntaxError`, or a `RangeError` if the text nests some thousand
 * levels deep.
 */
export function parseSourced(text: string): SourcedJson {
  const texts = new WeakMap<object, Map<string, string>>()
  // The reviver gets the root value as a member of an outer object, which is not counted.
  let members = -1
  const note: Reviver = function (name, value, context) {
    if (!Array.isArray(this)) members += 1
    const source = context?.source
    if (typeof value !== 'number' || source === undefined || source === String(value)) return value
    if (typeof this !== 'object' || this === null) return value
    const own = texts.get(this) ?? new Map<string, string>()
    texts.set(this, own.set(name, source))
    return value
  }
  const value: unknown = JSON.parse(text, note)
  return {
    value,
    members,
    numberText: (holder, name) => texts.get(holder)?.get(name) ?? String(Reflect.get(holder, name)),
  }
}
