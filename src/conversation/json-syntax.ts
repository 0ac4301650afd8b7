/**
 * Where a text stops being JSON. Engines say it in their own words, most without a position and some
 * with a piece of the text; a problem must name the place and must not repeat what people said.
 */

/** One token of JSON, white space before it included. */
const token =
  /[ \t\n\r]*(?:([{}[\]:,])|("(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null))/y

type Expected = 'value' | 'value or ]' | 'name' | 'name or }' | ':' | ', or the end' | 'the end'

/** A sentence that says where reading of a body (or what it is) stops and what should stand there. */
export function findSyntaxError(text: string, what = 'body'): string {
  const open: ('{' | '[')[] = []
  let expected: Expected = 'value'
  let offset = 0
  const afterValue = (): Expected => (open.length === 0 ? 'the end' : ', or the end')
  for (;;) {
    token.lastIndex = offset
    const match = token.exec(text)
    if (match === null) break
    const [all, mark, string] = match
    const next = step(expected, mark ?? (string === undefined ? 'literal' : 'string'))
    if (next === undefined) break
    offset += all.length
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
  const line = before.split('\n').length
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
