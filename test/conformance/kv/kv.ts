/**
 * The conformance suite of the key-value port, for every adapter. It runs under any runner that has
 * `describe` and `test`, because Deno's own KV must be tested under Deno.
 */
import { ok } from 'node:assert/strict'
import type { Kv } from '../../../src/ports/kv.ts'
import type { Claim, KvSubject } from './claim.ts'
import { kvCommits } from './commits.ts'
import { kvEntries } from './entries.ts'
import { kvLists } from './lists.ts'
import { kvLosses } from './losses.ts'
import { kvWatches } from './watches.ts'

export type KvConformance = {
  readonly create: () => Promise<KvSubject>
  /** The claims that the adapter cannot meet, each group with its reason. */
  readonly skip?: readonly { reason: string; tests: readonly string[] }[]
}

/** The functions that the suite needs of a test runner. `bun:test` has them. */
export type Runner = {
  describe(name: string, body: () => void): void
  test(name: string, body: () => Promise<void>, timeoutMs?: number): void
  skip(name: string, body: () => Promise<void>): void
  beforeAll(body: () => Promise<void>, timeoutMs?: number): void
  afterAll(body: () => Promise<void>, timeoutMs?: number): void
}

const cases = [kvEntries, kvLists, kvCommits, kvWatches, kvLosses]

export function kvConformance(
  name: string,
  { create, skip = [] }: KvConformance,
  runner: Runner,
): void {
  const skipped = new Map(skip.flatMap(({ reason, tests }) => tests.map((each) => [each, reason])))
  runner.describe(`${name} keeps the key-value port's promises:`, () => {
    let subject: KvSubject
    let kv: Kv
    runner.beforeAll(async () => {
      subject = await create()
      kv = await subject.open()
    }, 60_000)
    runner.afterAll(async () => {
      kv.close()
      await subject[Symbol.asyncDispose]()
    }, 60_000)

    let count = 0
    const claim: Claim = (what, body) => {
      const run = async () => {
        count += 1
        const partition = ['conformance', `case-${count}`]
        await body({ kv, subject, partition, key: (...parts) => [...partition, ...parts] })
      }
      const reason = skipped.get(what)
      if (reason === undefined) runner.test(what, run, 20_000)
      else runner.skip(`${what} (${reason})`, run)
      skipped.delete(what)
    }
    for (const claims of cases) claims(claim)

    runner.test('every skipped claim exists in the suite', async () => {
      ok(skipped.size === 0, [...skipped.keys()].join())
    })
  })
}
