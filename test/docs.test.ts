/** Documents are true: their commands print what they show, and their links lead to files. */
import { describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Glob } from 'bun'
import { startNode } from './support/servers/node.ts'
import { testDatabaseUrl } from './support/servers/postgres.ts'
import { freePort } from './support/servers/processes.ts'
import { walk } from './support/tour.ts'

const root = join(import.meta.dir, '..')

describe('the README', () => {
  test('the commands of the tour in the README print what it shows', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'turnlog-test-'))
    await using node = await startNode({ TURNLOG_DATA: directory })
    const port = await freePort()
    const names = [
      ['http://localhost:3000', node.url],
      ['http://localhost:3001', `http://localhost:${port}`],
      ['npm run -s turnlog --', 'turnlog'],
      [
        'npm run -s demo:crash',
        `DEMO_PORT=${port} bun ${join(root, 'examples/crash-demo/crash-demo.ts')}`,
      ],
    ] as const
    expect(await walk('README.md', { from: '\n## A tour', names })).toBeGreaterThan(4)
    rmSync(directory, { recursive: true, force: true })
  }, 300_000)

  test('every `bun run` and `npm run` command in the README is in package.json', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const readme = readFileSync(join(root, 'README.md'), 'utf8')
    const named = [...readme.matchAll(/(?:npm|bun) run (?:-s )?([a-z:-]+)/g)].map(
      ([, name]) => name,
    )
    for (const name of named) expect(Object.keys(scripts)).toContain(name ?? '')
  })
})

describe('the documents', () => {
  test('the commands in the documents print what the documents show', async () => {
    const DATABASE_URL = await testDatabaseUrl()
    await using node = await startNode({ DATABASE_URL })
    const { host, pathname } = new URL(DATABASE_URL)
    const names = [
      // Output names the node by this address; commands use the next one.
      ['http://127.0.0.1:3000', node.url],
      ['http://localhost:3000', node.url],
      ['PORT=3000', `PORT=${new URL(node.url).port}`],
      ['postgres://turnlog@db.example:5432/turnlog', DATABASE_URL],
      ['db.example:5432/turnlog', `${host}${pathname}`],
    ] as const
    const steps = {
      'docs/configuration.md': 1,
      'docs/formats.md': 5,
      'docs/doctor.md': 3,
      'docs/client.md': 6,
      'docs/voice.md': 5,
    }
    for (const [file, count] of Object.entries(steps))
      expect([file, await walk(file, { names })]).toEqual([file, count])
    const hasPython = Bun.which('python3') !== null
    const quickstart = { names, ...(hasPython ? {} : { to: '\n## Python' }) }
    expect(await walk('docs/quickstart.md', quickstart)).toBe(hasPython ? 3 : 2)
  }, 300_000)

  test('each page of docs begins by saying whom it is for', () => {
    const pages = [...new Glob('*.md').scanSync(join(root, 'docs'))]
    const begins = (page: string) =>
      readFileSync(join(root, 'docs', page), 'utf8')
        .replace(/<!--.*?-->\n*/gs, '')
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#'))[0]
    expect(pages.filter((page) => !begins(page)?.startsWith('For '))).toEqual([])
  })

  test('docs/llms.txt names every page of docs', () => {
    const llms = readFileSync(join(root, 'docs/llms.txt'), 'utf8')
    const pages = [...new Glob('*.md').scanSync(join(root, 'docs'))]
    expect(pages.filter((page) => !llms.includes(`](${page})`))).toEqual([])
  })

  test('every name in the glossary exists in the code', () => {
    const glossary = readFileSync(join(root, 'docs/glossary.md'), 'utf8')
    const code = [
      ...new Glob('{src,adapters,drizzle,test,bench}/**/*.{ts,sql,json}').scanSync(root),
    ]
      .filter((path) => !path.includes('fixtures'))
      .map((path) => `${path}\n${readFileSync(join(root, path), 'utf8')}`)
      .join('\n')
    const names = [...glossary.matchAll(/^\| [^|]+ \| ([^|]*) \|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
    )
    expect(names.length).toBeGreaterThan(60)
    expect(names.filter((name) => !code.includes(name))).toEqual([])
  })

  test('every row of a table in the glossary follows its header without a blank line', () => {
    const lines = readFileSync(join(root, 'docs/glossary.md'), 'utf8').split('\n')
    // The first row of each block of rows is its header, which a row of dashes follows.
    const headers = lines.flatMap((line, n) =>
      line.startsWith('|') && lines[n - 1]?.startsWith('|') !== true ? [n] : [],
    )
    expect(headers.length).toBeGreaterThan(5)
    expect(headers.filter((n) => !/^\|( --- \|)+$/.test(lines[n + 1] ?? ''))).toEqual([])
  })

  test('every link of a document leads to a file that exists', () => {
    const files = [
      'docs/llms.txt',
      'README.md',
      'AGENTS.md',
      'CHANGELOG.md',
      ...new Glob('{docs,examples}/**/*.md').scanSync(root),
    ]
    for (const file of files) {
      const text = readFileSync(join(root, file), 'utf8')
      for (const [, target = ''] of text.matchAll(/\]\((?!https?:|#)([^)#]+)/g))
        expect(
          Bun.file(join(root, file, '..', target)).size,
          `${file} -> ${target}`,
        ).toBeGreaterThan(0)
    }
  })
})
