/** Parses JSON and remembers the literals of its numbers: `1.0` and `1` are the same value, but different ids. */

export type SourcedJson = {
  readonly value: unknown
  /** How many members the objects of the value have. Of two members with one name, only the last one counts. */
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

/** Throws what `JSON.parse` throws: a `SyntaxError`, or a `RangeError` for some thousand levels of nesting. */
export function parseSourced(text: string): SourcedJson {
  const texts = new WeakMap<object, Map<string, string>>()
  // The reviver sees the root as a member of an object around it.
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
