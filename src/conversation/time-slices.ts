/** Long work in slices, between which everybody else has a turn. */

/** After so many milliseconds of work the event loop goes round. */
const sliceMs = 10

/** Resolves in the next round of the event loop: after timers, and what came in. */
export const nextRound = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** `items.map(map)`, in as many rounds of the event loop as it takes. What is short is done at once. */
export async function mapInSlices<T, R>(items: readonly T[], map: (item: T) => R): Promise<R[]> {
  const mapped: R[] = []
  let until = performance.now() + sliceMs
  for (const item of items) {
    if (performance.now() > until) {
      await nextRound()
      until = performance.now() + sliceMs
    }
    mapped.push(map(item))
  }
  return mapped
}
