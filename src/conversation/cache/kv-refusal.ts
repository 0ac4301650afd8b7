/** The kind of a failed KV call: the KV answered and refused, or it is away. */
import { KvError } from '../../ports/kv.ts'

/** Whether the KV answered and refused, so that it is not away. */
export const isRefusal = (thrown: unknown): boolean =>
  thrown instanceof KvError && thrown.outcome === 'refused'

/** Whether the KV would refuse any other write as well. */
export const refusesWrites = (thrown: unknown): boolean =>
  thrown instanceof KvError && thrown.refusesWrites
