/** The text of a thrown value. A library may throw a value that is no `Error`. */

/**
 * Returns the message of an error, or a readable form of any other value: never `[object Object]`.
 * The members of an object are not printed, except its name and number, because they may hold a secret.
 */
export function thrownText(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message || thrown.name
  if (typeof thrown !== 'object' || thrown === null) return String(thrown)
  if ('message' in thrown && typeof thrown.message === 'string' && thrown.message !== '')
    return thrown.message
  const parts = ['name', 'code', 'errno', 'status'].flatMap((member) => {
    const value: unknown = Reflect.get(thrown, member)
    const isShort = typeof value === 'number' || (typeof value === 'string' && value !== '')
    return isShort ? [`${member} ${value}`] : []
  })
  return parts.length === 0 ? 'an object without a message' : `an object with ${parts.join(', ')}`
}
