/**
 * Finds the lines of the keys of a TOML document, because the parser returns values without lines.
 * The text was parsed before, so this scanner can assume that it is valid.
 */

/**
 * Maps keys from the root to the line of that key, from 1, or to the line of the nearest table
 * around it.
 */
export type TomlLines = (keys: readonly string[]) => number | undefined

/** Prints a dotted key. Parts that are not bare keys get quotes. */
export function printKey(keys: readonly string[]): string {
  return keys.map((key) => (/^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key))).join('.')
}

const keyPart = /[ \t]*(?:"((?:[^"\\\n]|\\.)*)"|'([^'\n]*)'|([A-Za-z0-9_-]+))[ \t]*(\.?)/y

// The tokens of a value, the longest first. Brackets and line ends decide where a value ends.
const token =
  /"""[\s\S]*?(?<!\\)(?:\\\\)*"{3,5}|'''[\s\S]*?'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|#[^\n]*|[\s\S]/y

/** Makes the function that finds the line of a key in `text`. */
export function tomlLines(text: string): TomlLines {
  const lines = new Map<string, number>()
  let at = 0
  let line = 1
  let table: readonly string[] = []

  const keys = (): string[] => {
    const parts: string[] = []
    for (;;) {
      keyPart.lastIndex = at
      const match = keyPart.exec(text)
      if (match === null) return parts
      at = keyPart.lastIndex
      const [, basic, literal, bare, dot] = match
      parts.push(basic === undefined ? (literal ?? bare ?? '') : unquote(basic))
      if (dot === '') return parts
    }
  }
  // Each table on the way to a key gets the line of its first mention.
  const mark = (path: readonly string[]) => {
    for (let length = 1; length <= path.length; length += 1) {
      const key = printKey(path.slice(0, length))
      if (!lines.has(key)) lines.set(key, line)
    }
  }
  /** Skips to the end of the line on which all brackets are closed. */
  const skip = () => {
    let depth = 0
    while (at < text.length) {
      token.lastIndex = at
      const found = token.exec(text)?.[0] ?? ''
      at += Math.max(1, found.length)
      line += found.split('\n').length - 1
      if (found === '[' || found === '{') depth += 1
      if (found === ']' || found === '}') depth -= 1
      if (found === '\n' && depth <= 0) return
    }
  }

  while (at < text.length) {
    const blank = /[ \t\r\uFEFF]*/y
    blank.lastIndex = at
    blank.exec(text)
    at = blank.lastIndex
    if (text[at] === '[') {
      at += text[at + 1] === '[' ? 2 : 1
      table = keys()
      mark(table)
    } else if (text[at] !== '\n' && text[at] !== '#') {
      mark([...table, ...keys()])
    }
    // The closing bracket of a header makes the depth negative. The skip ends with the line then,
    // too.
    skip()
  }

  return (path) => {
    for (let length = path.length; length > 0; length -= 1) {
      const found = lines.get(printKey(path.slice(0, length)))
      if (found !== undefined) return found
    }
    return undefined
  }
}

/**
 * Unquotes a TOML string. Its escapes are those of JSON, except for a few that no key of a setting
 * holds.
 */
function unquote(basic: string): string {
  try {
    const value: unknown = JSON.parse(`"${basic}"`)
    return typeof value === 'string' ? value : basic
  } catch {
    return basic
  }
}
