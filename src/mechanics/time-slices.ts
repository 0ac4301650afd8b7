/** Splits long work into slices, so that other requests run between them. */

/** Longest work without giving up the event loop, in milliseconds; one item may exceed it. */
const sliceMs = 10

/** Resolves in the next round of the event loop, after due timers and arrived data were handled. */
export const nextRound = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** `items.map(map)`, over as many rounds of the event loop as needed; work of less than one slice takes one round. */
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
