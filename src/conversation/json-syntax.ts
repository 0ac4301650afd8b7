/**
 * Where a text stops being JSON. Engines say it in their own words, most without a position and some
 * with a piece of the text; a problem must name the place and must not repeat what people said.
 */

/** One token of JSON that is no string, white space before it included. */
const token =
  /[ \t\n\r]*(?:([{}[\]:,])|(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null))/y

const stringStart = /[ \t\n\r]*"/y
const escapeSequence = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y
const quote = 0x22
const backslash = 0x5c

/** Where the token at `offset` ends, and what it is; undefined where there is none. */
function tokenAt(text: string, offset: number): { end: number; kind: string } | undefined {
  token.lastIndex = offset
  const match = token.exec(text)
  if (match !== null) return { end: token.lastIndex, kind: match[1] ?? 'literal' }
  stringStart.lastIndex = offset
  const end = stringStart.test(text) ? endOfString(text, stringStart.lastIndex) : -1
  return end === -1 ? undefined : { end, kind: 'string' }
}

/**
 * Behind the quote that ends a string whose content begins at `start`; -1 where it is not closed, or
 * holds what no string may. Not a regular expression: one remembers every character of a string, and
 * 4 MiB of them took it 2.4 s.
 */
function endOfString(text: string, start: number): number {
  for (let at = start; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === quote) return at + 1
    if (code < 0x20) return -1
    if (code !== backslash) continue
    escapeSequence.lastIndex = at
    if (!escapeSequence.test(text)) return -1
    at = escapeSequence.lastIndex - 1
  }
  return -1
}

type Expected = 'value' | 'value or ]' | 'name' | 'name or }' | ':' | ', or the end' | 'the end'

/** A sentence that says where reading of a body (or what it is) stops and what should stand there. */
export function findSyntaxError(text: string, what = 'body'): string {
  const open: ('{' | '[')[] = []
  let expected: Expected = 'value'
  let offset = 0
  const afterValue = (): Expected => (open.length === 0 ? 'the end' : ', or the end')
  for (;;) {
    const found = tokenAt(text, offset)
    const next: Expected | 'after' | undefined =
      found === undefined ? undefined : step(expected, found.kind)
    if (found === undefined || next === undefined) break
    offset = found.end
    expected = next === 'after' ? afterValue() : next
  }
  return describe(text, what, offset, expected, open.at(-1))

  function step(now: Expected, seen: string): Expected | 'after' | undefined {
    if (now === 'value' || (now === 'value or ]' && seen !== ']')) {
      if (seen === '{' || seen === '[') {
        open.push(seen)
        return seen === '{' ? 'name or }' : 'value or ]'
      }
      return seen === 'literal' || seen === 'string' ? 'after' : undefined
    }
    if ((now === 'name' || now === 'name or }') && seen === 'string') return ':'
    if (now === ':' && seen === ':') return 'value'
    if (now === ', or the end' && seen === ',') return open.at(-1) === '{' ? 'name' : 'value'
    const closes = now === ', or the end' || now === 'name or }' || now === 'value or ]'
    if (!closes || seen !== (open.at(-1) === '{' ? '}' : ']')) return undefined
    open.pop()
    return 'after'
  }
}

function describe(
  text: string,
  what: string,
  offset: number,
  expected: Expected,
  inside?: '{' | '[',
): string {
  const rest = text.slice(offset)
  const position = offset + rest.length - rest.trimStart().length
  const before = text.slice(0, position)
  let line = 1
  for (let at = before.indexOf('\n'); at !== -1; at = before.indexOf('\n', at + 1)) line += 1
  const column = position - before.lastIndexOf('\n')
  const place = `line ${line}, column ${column} (character ${position})`
  const close = inside === '{' ? '}' : ']'
  const wanted = {
    value: 'a value',
    'value or ]': 'a value or ]',
    name: 'a name in double quotes',
    'name or }': 'a name in double quotes or }',
    ':': 'a colon',
    ', or the end': `a comma or ${close}`,
    'the end': `the end of the ${what}`,
  }[expected]
  // A string that cannot be read is no token at all: its first character is where reading stopped.
  if (text[position] === '"' && /value|name/.test(wanted))
    return `The ${what} is not JSON at ${place}: the string that starts there is not closed, or holds a control character or an unknown escape.`
  return position >= text.length
    ? `The ${what} ends at ${place}, where ${wanted} is expected.`
    : `The ${what} is not JSON at ${place}: ${wanted} is expected there.`
}
