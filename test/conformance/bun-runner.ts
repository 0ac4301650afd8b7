/** The runner `bun:test` for conformance suites, which work with any runner. */
import { afterAll, beforeAll, describe, test } from 'bun:test'
import type { Runner } from './kv/kv.ts'

export const bunRunner: Runner = {
  describe,
  test: (name, body, timeoutMs) => test(name, body, timeoutMs),
  skip: (name, body) => test.skip(name, body),
  beforeAll: (body, timeoutMs) => beforeAll(body, timeoutMs),
  afterAll: (body, timeoutMs) => afterAll(body, timeoutMs),
}
