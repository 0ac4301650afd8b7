/** What a failed call of the KV says: that it answered and refused, or that it is away. */
import { KvError } from '../../ports/kv.ts'

/** Whether the KV answered, and refused: it is not away. */
export const isRefusal = (thrown: unknown): boolean =>
  thrown instanceof KvError && thrown.outcome === 'refused'

/** Whether the KV would refuse any other write as well. */
export const refusesWrites = (thrown: unknown): boolean =>
  thrown instanceof KvError && thrown.refusesWrites
