/** Replaces methods of a part of the service, for tests that need it to be wrong. */

/**
 * Returns `target` with the members of `changes` in place of its own. Its other methods can
 * still use its private fields.
 */
export function changed<T extends object>(target: T, changes: Partial<T>): T {
  return new Proxy(target, {
    get(_, name) {
      if (Object.hasOwn(changes, name)) return Reflect.get(changes, name)
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
