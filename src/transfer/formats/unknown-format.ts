/** Describes a value of no known format, so that its owner sees what the import found. */
import { formatNames } from './formats.ts'
import { isJson } from './json-value.ts'

const namesMax = 8
const nameCharactersMax = 30

/** Returns the reason why a value of unknown format is refused: its shape, and the shapes that are known. */
export const unknownFormatText = (value: unknown): string =>
  `has none of the known formats (${formatNames.join(', ')}): it is ${shapeOf(value)}. See docs/importing.md`

/** The shape of a value in words, without its contents: `an object with \`a\`, \`b\``. */
function shapeOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) {
    if (value.length === 0) return 'an empty list'
    return `a list of ${value.length}, first ${shapeOf(value[0])}`
  }
  if (!isJson(value)) return `a ${typeof value === 'string' ? 'text' : typeof value}`
  const names = Object.keys(value)
  if (names.length === 0) return 'an empty object'
  const shown = names
    .slice(0, namesMax)
    .map((name) => `\`${name.slice(0, nameCharactersMax).toWellFormed()}\``)
  const more = names.length > namesMax ? ` and ${names.length - namesMax} more` : ''
  return `an object with ${shown.join(', ')}${more}`
}
