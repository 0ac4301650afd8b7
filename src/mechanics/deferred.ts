/**
 * A promise with the functions that settle it. Some browsers in use lack `Promise.withResolvers`.
 */
export type Deferred<T> = {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (reason: unknown) => void
}

/** Makes a promise that is settled from outside. */
export function createDeferred<T>(): Deferred<T> {
  // The constructor calls its executor at once, so the functions are set when it returns.
  const ends = {} as Pick<Deferred<T>, 'resolve' | 'reject'>
  const promise = new Promise<T>((resolve, reject) => Object.assign(ends, { resolve, reject }))
  return { promise, ...ends }
}
