/** Tests of the files in drizzle/. */
import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { readMigrations, recordOf } from '../../../adapters/database/migration-state.ts'
import { codeVersion, defaultMigrationsFolder } from '../../../adapters/database/migrations.ts'
import { readFunctionSources } from '../../../drizzle/function-sources.ts'
import { brokenRules } from '../../../drizzle/scripts/migration-rules.ts'

describe('the migrations', () => {
  test('the ids of the migrations have no gap, their times rise, and each migration has its row, snapshot and catalog', () => {
    expect(brokenRules(defaultMigrationsFolder)).toEqual([])
  })

  test('no migration needs newer code than this release', () => {
    const oldest = readMigrations(defaultMigrationsFolder).map((migration) =>
      Number(/(\d+)\);\s*$/.exec(recordOf(migration) ?? '')?.[1]),
    )
    expect(Math.max(...oldest)).toBe(codeVersion)
  })
})

describe('the sources of functions', () => {
  const sources = readFunctionSources(defaultMigrationsFolder)

  test('each SQL file of a function begins with a comment and defines only the function that it is named after', () => {
    for (const { name, text } of sources) {
      expect(text).toStartWith('-- ')
      expect(
        [...text.matchAll(/^CREATE OR REPLACE FUNCTION (\w+)\(/gm)].map(([, one]) => one),
      ).toEqual([name])
    }
  })

  test('each function is called by the code, by another function or by a trigger', async () => {
    const root = join(defaultMigrationsFolder, '..')
    const code = await Promise.all(
      [...new Bun.Glob('src/**/*.ts').scanSync({ cwd: root })].map((path) =>
        Bun.file(join(root, path)).text(),
      ),
    )
    const uncalled = sources.filter(({ name, text }) => {
      const call = new RegExp(`\\b${name}\\(`)
      const isTrigger = new RegExp(`EXECUTE FUNCTION ${name}\\(`).test(text)
      const others = sources.filter((source) => source.name !== name)
      return (
        !isTrigger &&
        ![...code, ...others.map((source) => source.text)].some((each) => call.test(each))
      )
    })
    expect(uncalled.map(({ name }) => name)).toEqual([])
  })
})
