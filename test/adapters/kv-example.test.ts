/** Tests of the adapter in `docs/kv-adapters.md`, read from the page: the conformance suite. */
import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openKv } from '../../adapters/open.ts'
import type { Kv } from '../../src/ports/kv.ts'
import { bunRunner } from '../conformance/bun-runner.ts'
import { kvConformance } from '../conformance/kv/kv.ts'

const root = join(import.meta.dir, '../..')
const directory = mkdtempSync(join(tmpdir(), 'turnlog-test-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const page = readFileSync(join(root, 'docs/kv-adapters.md'), 'utf8')
const [, shown = ''] = /file `adapters\/kv\/sqlite\.ts`:\n\n```ts\n([\s\S]*?)```/.exec(page) ?? []
const file = join(directory, 'sqlite.ts')
// The imports of the example are relative to the project, and the test writes it elsewhere.
writeFileSync(file, shown.replaceAll(/from '(\.[^']+)'/g, `from '${root}/adapters/kv/$1'`))
const example: { openKv(path: string): Kv } = await import(file)

let databases = 0
kvConformance(
  'The example',
  {
    async create() {
      const path = join(directory, `${databases++}.sqlite`)
      return {
        open: async () => example.openKv(path),
        async restart(kv) {
          kv.close()
          return example.openKv(path)
        },
        async [Symbol.asyncDispose]() {},
      }
    },
    skip: [
      {
        reason: 'the file survives restarts, and nothing is evicted from it',
        tests: [
          'no KV read after a restart returns an entry from before the restart',
          'no versionstamp is used again after a loss of all data',
          'no versionstamp is used again after an eviction',
          'the entries of a partition are evicted together',
        ],
      },
      {
        reason: 'a connection reports only its own changes',
        tests: ["two connections to a store see each other's changes"],
      },
    ],
  },
  bunRunner,
)

test('openKv opens a module by its path', async () => {
  const plugged = join(directory, 'plugged.ts')
  const path = join(directory, 'plugged.sqlite')
  writeFileSync(
    plugged,
    `import { openKv as open } from './sqlite.ts'
    export const shared = true
    export const openKv = () => open('${path}')`,
  )
  const opened = await openKv(`module:${plugged}`)
  expect([opened.name, opened.shared, opened.ready()]).toEqual([plugged, true, true])
  await opened.kv.set(['a'], 1)
  expect((await opened.kv.get(['a'])).value).toBe(1)
  opened.kv.close()
  writeFileSync(plugged.replace('.ts', '-not.ts'), 'export const nothing = 1')
  expect(openKv(`module:${plugged.replace('.ts', '-not.ts')}`)).rejects.toThrow('exports no openKv')
})
