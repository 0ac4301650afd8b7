/**
 * Finds where a text stops being JSON. The messages of JavaScript engines differ, mostly lack a
 * position, and some quote the text. A problem must name the location and must not quote the caller's
 * text.
 */
import { endOfString } from './json-scan.ts'

/** A token other than a string, with the white space before it. */
const token =
  /[ \t\n\r]*(?:([{}[\]:,])|(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null))/y

const stringStart = /[ \t\n\r]*"/y
const escapeSequence = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y
const backslash = 0x5c

/** The end and the kind of the token at `offset`; undefined if no token starts there. */
function tokenAt(text: string, offset: number): { end: number; kind: string } | undefined {
  token.lastIndex = offset
  const match = token.exec(text)
  if (match !== null) return { end: token.lastIndex, kind: match[1] ?? 'literal' }
  stringStart.lastIndex = offset
  if (!stringStart.test(text)) return undefined
  const start = stringStart.lastIndex
  const end = endOfString(text, start - 1)
  return end === -1 || !isContent(text, start, end) ? undefined : { end: end + 1, kind: 'string' }
}

/**
 * Whether the text from `start` to `end` may be in a string: it has no control character and no
 * unknown escape. A single regular expression was not used: it remembers every character, and took
 * 2.4 s for 4 MiB.
 */
function isContent(text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) {
    const code = text.charCodeAt(at)
    if (code < 0x20) return false
    if (code !== backslash) continue
    escapeSequence.lastIndex = at
    if (!escapeSequence.test(text)) return false
    at = escapeSequence.lastIndex - 1
  }
  return true
}

type Expected = 'value' | 'value or ]' | 'name' | 'name or }' | ':' | ', or the end' | 'the end'

/**
 * A sentence for the caller: the location where `text` stops being JSON, and the token that is
 * expected there. `carrier` names the text in it.
 */
export function findSyntaxError(text: string, carrier = 'body'): string {
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
  return describe(text, carrier, offset, expected, open.at(-1))

  function step(before: Expected, kind: string): Expected | 'after' | undefined {
    if (before === 'value' || (before === 'value or ]' && kind !== ']')) {
      if (kind === '{' || kind === '[') {
        open.push(kind)
        return kind === '{' ? 'name or }' : 'value or ]'
      }
      return kind === 'literal' || kind === 'string' ? 'after' : undefined
    }
    if ((before === 'name' || before === 'name or }') && kind === 'string') return ':'
    if (before === ':' && kind === ':') return 'value'
    if (before === ', or the end' && kind === ',') return open.at(-1) === '{' ? 'name' : 'value'
    const closes = before === ', or the end' || before === 'name or }' || before === 'value or ]'
    if (!closes || kind !== (open.at(-1) === '{' ? '}' : ']')) return undefined
    open.pop()
    return 'after'
  }
}

function describe(
  text: string,
  carrier: string,
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
  const location = `line ${line}, column ${column} (character ${position})`
  const close = inside === '{' ? '}' : ']'
  const expectedText = {
    value: 'a value',
    'value or ]': 'a value or ]',
    name: 'a name in double quotes',
    'name or }': 'a name in double quotes or }',
    ':': 'a colon',
    ', or the end': `a comma or ${close}`,
    'the end': `the end of the ${carrier}`,
  }[expected]
  // A malformed string is not a token, so reading stopped at its opening quote.
  if (text[position] === '"' && /value|name/.test(expectedText))
    return `The ${carrier} is not JSON at ${location}: the string that starts there is not closed, or holds a control character or an unknown escape.`
  return position >= text.length
    ? `The ${carrier} ends at ${location}, where ${expectedText} is expected.`
    : `The ${carrier} is not JSON at ${location}: ${expectedText} is expected there.`
}
