/** A part of the service with other methods in some places, for tests that need it to be wrong. */

/** `target`, but for what `changes` names. Private fields stay within reach of the methods that are left. */
export function changed<T extends object>(target: T, changes: Partial<T>): T {
  return new Proxy(target, {
    get(_, name) {
      if (Object.hasOwn(changes, name)) return Reflect.get(changes, name)
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
