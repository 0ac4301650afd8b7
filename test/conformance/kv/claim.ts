/** A case of the suite, what it gets, and what several of them need. */
import { match, ok, rejects } from 'node:assert/strict'
import type { Kv, KvKey } from '../../../src/ports/kv.ts'

export type KvSubject = AsyncDisposable & {
  /** Opens the same store each time; it is empty at first. */
  open(): Promise<Kv>
  /** Loses all data while the store goes on, as FLUSHALL does. */
  wipe?(): Promise<void>
  /** Drives entries out by writing others, until this key's are gone. */
  evict?(kv: Kv, key: KvKey): Promise<void>
  /** Ends the store and starts it again, in whatever state that leaves it; answers it, reopened. */
  restart?(kv: Kv): Promise<Kv>
}

/** What a case gets: the store, and keys that no other case uses. */
export type Bench = {
  readonly kv: Kv
  readonly subject: KvSubject
  /** Within one partition, new for each case. */
  key(...parts: KvKey): KvKey
  /** The first two parts of `key`. */
  readonly partition: KvKey
}

/** One case, under the name it can be skipped by. */
export type Claim = (what: string, body: (bench: Bench) => Promise<void>) => void

/** Fails unless the call is refused as the caller's mistake; synchronously or not. */
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

/** Looks until `condition` holds; fails after `withinMs` milliseconds. */
export async function eventually(
  what: string,
  condition: () => Promise<boolean>,
  withinMs = 10_000,
): Promise<void> {
  const end = performance.now() + withinMs
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`Not so within ${withinMs} ms: ${what}`)
    await pause(10)
  }
}

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
