/**
 * Scans of a JSON text. They neither parse nor recurse, so nesting does not change their cost or
 * stack.
 */

/**
 * Bounds of one JSON text. `values` is the maximum of array elements and object members together,
 * `names` the maximum of object members alone. The time for a text depends on these, not only on
 * its bytes: `JSON.parse` took 4 s for 16 MiB of `[`, and each distinct name costs about 4 µs on
 * its way to the database. `levels` is the highest value of the setting `limits.jsonDepthMax`.
 */
export const jsonBounds = { values: 65_536, names: 16_384, levels: 512 }

const quote = 0x22
const comma = 0x2c
const colon = 0x3a
const openBracket = 0x5b
const backslash = 0x5c
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

/**
 * The index of the quote that ends the string whose opening quote is at `start`; -1 if none does.
 */
export function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let before = at - 1
    while (text.charCodeAt(before) === backslash) before -= 1
    // An even number of backslashes escape each other, so the quote ends the string.
    if ((at - before) % 2 === 1) return at
  }
  return -1
}

/** Whether arrays and objects are nested more than `levels` deep. */
export function nestsDeeper(text: string, levels: number): boolean {
  if (text.length <= levels) return false
  let depth = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === quote) {
      at = endOfString(text, at)
      if (at === -1) return false
    } else if (code === openBracket || code === openBrace) {
      depth += 1
      if (depth > levels) return true
    } else if (code === closeBracket || code === closeBrace) depth -= 1
  }
  return false
}

/** The number of object members in a JSON text. A name that an object has twice counts twice. */
export function countMembers(text: string): number {
  let members = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === quote) {
      at = endOfString(text, at)
      if (at === -1) return members
    } else if (code === colon) members += 1
  }
  return members
}

/**
 * Whether a text has more values (elements and members), or more members, than `bounds` allows. It
 * counts the bracket or comma before each value, and the colon after each name.
 */
export function hasTooMany(text: string, bounds = jsonBounds): boolean {
  // A value has at least two characters, and a member with its name has five.
  if (text.length <= 2 * bounds.values && text.length <= 5 * bounds.names) return false
  let values = 0
  let names = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === quote) {
      at = endOfString(text, at)
      if (at === -1) return false
    } else if (code === comma || code === openBracket || code === openBrace) {
      values += 1
      if (values > bounds.values) return true
    } else if (code === colon) {
      names += 1
      if (names > bounds.names) return true
    }
  }
  return false
}

/**
 * The string members of the outermost object, by name. It reads up to the first character that is not
 * JSON, and skips nested values. If the object has a name twice, the last value counts.
 */
export function outermostStrings(text: string): Record<string, string> {
  const found: [string, string][] = []
  let depth = 0
  /** The literal of the current member's name, after its colon was read. */
  let name: string | undefined
  /** The latest string literal of the outermost object since a colon or a comma. */
  let last: string | undefined
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === quote) {
      const end = endOfString(text, at)
      if (end === -1) break
      if (depth === 1) last = text.slice(at, end + 1)
      at = end
    } else if (code === openBracket || code === openBrace) depth += 1
    else if (code === closeBracket || code === closeBrace) depth -= 1
    else if (code === colon && depth === 1) {
      name = last
      last = undefined
    }
    const isEnd = depth === 1 ? code === comma : depth === 0
    if (isEnd && name !== undefined) {
      if (last !== undefined) found.push([stringOf(name), stringOf(last)])
      name = undefined
      last = undefined
    }
  }
  return Object.fromEntries(found)
}

/** The string that a literal denotes; empty if the literal is not JSON. */
function stringOf(literal: string): string {
  try {
    return String(JSON.parse(literal))
  } catch {
    return ''
  }
}
