/** Replaces characters that the service cannot store: NUL and lone surrogates become U+FFFD. */
import { isStorable } from '../../conversation/wire/validation.ts'

const replacement = '\ufffd'

/** Whether the source text of a document may hold such characters, as escapes. */
export const mayBeInvalid = (text: string): boolean => /\\u(?:0000|d[89a-f])/i.test(text)

/** Changes a JSON value in place. Returns the number of texts and member names that were changed. */
export function replaceInvalid(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  let count = 0
  for (const [name, one] of Object.entries(value)) {
    const isNameFine = isStorable(name)
    const isText = typeof one === 'string' && !isStorable(one)
    if (!isNameFine) Reflect.deleteProperty(value, name)
    if (!isNameFine || isText)
      Object.defineProperty(value, storable(name), {
        value: typeof one === 'string' ? storable(one) : one,
        ...plainMember,
      })
    count += (isNameFine ? 0 : 1) + (isText ? 1 : 0) + replaceInvalid(one)
  }
  return count
}

const storable = (text: string): string => text.toWellFormed().replaceAll('\0', replacement)

/** Assignment to a member called `__proto__` would set the prototype. */
const plainMember = { enumerable: true, configurable: true, writable: true }
