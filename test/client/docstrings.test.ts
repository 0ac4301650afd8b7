/** The docstrings of the client's public functions are complete, agree with the service, and have examples that run. */
import { afterAll, describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { problemRows } from '../../src/problem-codes.ts'
import {
  commonCodes,
  documentedFunctions,
  documentedNames,
  documentedValues,
  setup,
} from '../support/client-reference.ts'
import { declarationsOf } from '../support/docstrings.ts'
import { testApp } from '../support/servers/app.ts'

const root = join(import.meta.dir, '../..')
const directory = mkdtempSync(join(tmpdir(), 'turnlog-docstrings-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** The names that the entry points export, without those of the wire schemas and of problems. */
const exportedNames = ['client.ts', 'journal/file-journal.ts'].flatMap((entry) => {
  const path = join(root, 'src/client', entry)
  const own = declarationsOf(path).map(({ name }) => name)
  const text = readFileSync(path, 'utf8')
  const passedOn = [...text.matchAll(/^export (?:type )?\{([^}]*)\} from '\.\/[^']+'/gm)]
  return [...own, ...passedOn.flatMap(([, names = '']) => names.match(/\b(?!type\b)\w+/g) ?? [])]
})

describe('the docstrings of the client', () => {
  test('every public function has a docstring with its parameters, its result and an example', () => {
    for (const { title, doc, params = [], source } of documentedFunctions) {
      expect([title, doc.params.map(({ name }) => name)]).toEqual([title, [...params]])
      for (const { text } of doc.params)
        expect([title, text]).toEqual([title, expect.stringMatching(/\.$/)])
      const isVoid = source.endsWith('): void')
      expect([title, doc.returns === undefined]).toEqual([title, isVoid])
      expect([title, doc.text]).toEqual([title, expect.stringMatching(/\.$/)])
      expect([title, doc.example]).toEqual([title, expect.stringMatching(/\w/)])
    }
  })

  test('every member of a public type has a docstring', () => {
    for (const { name, doc } of documentedValues)
      expect([name, doc.text]).toEqual([name, expect.stringMatching(/\w.*\.$/s)])
  })

  test('every export of the entry points is in the reference', () => {
    // The client and its parts have their functions in the reference, under the names of the objects.
    const objects = ['TurnlogClient', 'ConversationFold']
    const missing = exportedNames.filter(
      (name) => !documentedNames.has(name) && !objects.includes(name),
    )
    expect(missing).toEqual([])
    expect(exportedNames.length).toBeGreaterThan(30)
  })

  test('every problem code after @throws is in the table of codes', () => {
    const codes = documentedFunctions.flatMap(({ doc }) => doc.throws.flatMap((each) => each.codes))
    expect([...codes, ...commonCodes].filter((code) => !(code in problemRows))).toEqual([])
    expect(codes.length).toBeGreaterThan(50)
  })

  test('the docstring of a REST call lists the problems of its operation in the OpenAPI document', async () => {
    await using app = await testApp()
    const { body } = await app.ask('GET', '/swagger/json')
    const operations = Object.values(Object(body['paths'])).flatMap((path) =>
      Object.values(Object(path)),
    )
    const problemsOf = (id: string): string[] => {
      const operation = Object(operations.find((each) => Object(each).operationId === id))
      const texts = Object.values(Object(operation.responses)).map((each) =>
        String(Object(each).description),
      )
      return texts.flatMap((text) =>
        [...text.matchAll(/`([a-z-]+)`: /g)].map(([, code = '']) => code),
      )
    }
    // Both functions call one operation: the key is a member of the body.
    const operationOf = ({ title }: { readonly title: string }) =>
      title.replace('client.', '').replace('attachByKey', 'attachTtsToLatest')
    const byOperation = [...Map.groupBy(documentedFunctions, operationOf)]
    const served = byOperation.filter(([name]) => problemsOf(name).length > 0)
    for (const [name, functions] of served) {
      const added = functions.flatMap(({ doc }) => doc.throws.flatMap(({ codes }) => codes))
      const expected = problemsOf(name).filter((code) => !commonCodes.includes(code))
      expect([name, new Set(added)]).toEqual([name, new Set(expected)])
    }
    expect(served.length).toBeGreaterThan(20)
  })

  test('every example of a docstring type-checks and runs against a real service', async () => {
    await using app = await testApp()
    const server = app.listen({ host: '127.0.0.1', port: 0 })
    writeProgram(server.url)
    const check = Bun.spawn([process.execPath, 'check', '--no-pretty'], {
      cwd: directory,
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const checked = await new Response(check.stdout).text()
    expect({ code: await check.exited, checked }).toMatchObject({ code: 0 })
    const run = Bun.spawn([process.execPath, 'examples.ts'], {
      cwd: directory,
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const [output, errors] = await Promise.all([
      new Response(run.stdout).text(),
      new Response(run.stderr).text(),
    ])
    expect({ code: await run.exited, errors }).toEqual({ code: 0, errors: '' })
    expect(output.trim().split('\n')).toEqual(documentedFunctions.map(({ title }) => title))
    await server.stop(1000)
  }, 120_000)
})

/** Writes a program that runs each example in a conversation of its own, and prints the name of its function. */
function writeProgram(url: string): void {
  const [imports = '', shared = ''] = setup.split('\n\n')
  const blocks = documentedFunctions.map(({ title, doc }) => {
    const body = `${shared}\n{\n${doc.example}\n}`.replaceAll('http://localhost:3000', url)
    return `await (async () => {\n${body}\nawait client.settled()\n})()\nconsole.log('${title}')`
  })
  writeFileSync(join(directory, 'examples.ts'), [imports, ...blocks].join('\n\n'))
  const compilerOptions = { noUnusedLocals: false }
  const config = { extends: join(root, 'tsconfig.json'), compilerOptions, include: ['examples.ts'] }
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify(config))
  for (const [name, target] of [
    ['turnlog', '.'],
    ['@types/bun', 'node_modules/@types/bun'],
  ] as const) {
    const link = join(directory, 'node_modules', name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(join(root, target), link)
  }
}
