/** The views `said` and `heard` of a conversation, side by side. See README.md. */
import { parseArgs } from 'node:util'
import { createClient } from 'turnlog/client'

const { values, positionals } = parseArgs({
  options: { service: { type: 'string', default: 'http://localhost:3000' } },
  allowPositionals: true,
})
await using turnlog = createClient({ url: values.service })

const width = 52
/** The width of a text in columns: a Chinese character has two. */
const columns = (text: string) =>
  Array.from(text).reduce((sum, one) => sum + (/[\u2e80-\uffef]/u.test(one) ? 2 : 1), 0)

function lines(text: string): string[] {
  const wrapped = ['']
  for (const one of text) {
    if (columns(wrapped.at(-1) ?? '') + columns(one) > width) wrapped.push('')
    wrapped[wrapped.length - 1] += one
  }
  return wrapped
}

for (const id of positionals) {
  const said = (await turnlog.getHistory(id, { view: 'said' })).messages
  const heard = (await turnlog.getHistory(id, { view: 'heard' })).messages
  console.log(`${id}\n${'said'.padEnd(width + 7)}heard`)
  for (const message of said) {
    const left = lines(`${message.role === 'human' ? 'human' : 'ai   '} ${message.parts.join('')}`)
    const shown = heard.find((other) => other.id === message.id)
    const right = shown === undefined ? ['(nothing)'] : lines(shown.parts.join(''))
    for (let n = 0; n < Math.max(left.length, right.length); n += 1) {
      const cell = left[n] ?? ''
      console.log(`${cell}${' '.repeat(width + 7 - columns(cell))}${right[n] ?? ''}`.trimEnd())
    }
  }
}
