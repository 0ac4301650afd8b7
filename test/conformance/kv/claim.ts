/** The type of a claim of the suite, its subject, and helpers for claims. */
import { match, ok, rejects } from 'node:assert/strict'
import type { Kv, KvKey } from '../../../src/ports/kv.ts'

export type KvSubject = AsyncDisposable & {
  /** Opens the same store each time; it is empty at first. */
  open(): Promise<Kv>
  /** Deletes all data while the store runs, as FLUSHALL does. */
  wipe?(): Promise<void>
  /** Writes other entries until the store has evicted those of this key. */
  evict?(kv: Kv, key: KvKey): Promise<void>
  /** Ends the store and starts it again. Returns it, opened again. */
  restart?(kv: Kv): Promise<Kv>
}

/** The arguments of a claim: the store, and keys that no other claim uses. */
export type Bench = {
  readonly kv: Kv
  readonly subject: KvSubject
  /** Makes a key within one partition, which is new for each claim. */
  key(...parts: KvKey): KvKey
  /** The first two parts of `key`. */
  readonly partition: KvKey
}

/** Registers one claim. An adapter skips it by this name. */
export type Claim = (what: string, body: (bench: Bench) => Promise<void>) => void

/** Fails unless the call is refused as a mistake of its caller, synchronously or not. */
export async function refused(
  call: () => unknown,
  message: RegExp = /./,
  type: typeof TypeError | typeof RangeError = TypeError,
): Promise<void> {
  await rejects(
    async () => await call(),
    (thrown: unknown) => {
      ok(thrown instanceof type, `not a ${type.name}: ${String(thrown)}`)
      match(thrown.message, message)
      return true
    },
  )
}

/** Waits until `condition` holds. Fails after `withinMs` milliseconds. */
export async function eventually(
  what: string,
  condition: () => Promise<boolean>,
  withinMs = 10_000,
): Promise<void> {
  const end = performance.now() + withinMs
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`Not true within ${withinMs} ms: ${what}`)
    await pause(10)
  }
}

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
