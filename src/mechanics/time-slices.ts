/** Splits long work into slices, so that other requests run between them. */

/** Milliseconds of work without a pause for the event loop. A single item may take longer. */
const sliceMs = 10

/**
 * Resolves in the next round of the event loop, after the handling of due timers and arrived data.
 */
export const nextRound = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/**
 * Maps all items, as `items.map(map)` does, and pauses for the event loop after each slice of work.
 */
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
