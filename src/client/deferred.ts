/** A promise and its ends: `Promise.withResolvers` is younger than some browsers in use. */
export type Deferred<T> = {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (reason: unknown) => void
}

export function createDeferred<T>(): Deferred<T> {
  let ends: Pick<Deferred<T>, 'resolve' | 'reject'> | undefined
  const promise = new Promise<T>((resolve, reject) => {
    ends = { resolve, reject }
  })
  if (ends === undefined) throw new TypeError('A promise runs its executor at once.')
  return { promise, ...ends }
}
