/**
 * Runs the suite on Deno's own KV, under Deno: `deno run -A --unstable-kv
 * test/conformance/kv/deno.ts`. It prints a line of JSON for each claim, which
 * `test/adapters/kv.test.ts` reads.
 */
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDenoKv } from '../../../adapters/kv/deno.ts'
import { denoConformance } from './deno-cases.ts'
import { kvConformance, type Runner } from './kv.ts'

const bodies: { name: string; body: () => Promise<void>; timeoutMs: number }[] = []
const before: (() => Promise<void>)[] = []
const after: (() => Promise<void>)[] = []
const runner: Runner = {
  describe: (_, body) => body(),
  test: (name, body, timeoutMs = 5000) => void bodies.push({ name, body, timeoutMs }),
  skip: () => {},
  beforeAll: (body) => void before.push(body),
  afterAll: (body) => void after.push(body),
}

/** The error of a claim; undefined if it passed. */
async function outcomeOf(
  body: () => Promise<void>,
  timeoutMs: number,
): Promise<string | undefined> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`not within ${timeoutMs} ms`)), timeoutMs)
  try {
    await Promise.race([body(), late.promise])
    return undefined
  } catch (thrown) {
    return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
  } finally {
    clearTimeout(timer)
  }
}

let files = 0
const create = async () => {
  const path = join(tmpdir(), `turnlog-deno-kv-${process.pid}-${files++}`)
  const open = () => openDenoKv(path)
  return {
    open,
    async restart(kv: Awaited<ReturnType<typeof open>>) {
      kv.close()
      return await open()
    },
    async [Symbol.asyncDispose]() {
      for (const end of ['', '-shm', '-wal']) rmSync(path + end, { force: true })
    },
  }
}

kvConformance('Deno', { create, ...denoConformance }, runner)
for (const body of before) await body()
for (const { name, body, timeoutMs } of bodies) {
  const failed = await outcomeOf(body, timeoutMs)
  process.stdout.write(`${JSON.stringify({ name, failed })}\n`)
}
for (const body of after) await body()
