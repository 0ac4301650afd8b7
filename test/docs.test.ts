/**
 * The README's tour is walked as it is written: every `sh` block runs, in one shell and in order, and
 * what it prints has the shape of the block below it. `UPDATE_DOCS=1` writes what was printed.
 */
import { describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startNode } from './support/node.ts'

const root = join(import.meta.dir, '..')
const path = join(root, 'README.md')

/** A step of the tour: a command, and what it is said to print. */
const stepPattern = /```sh\n([\s\S]*?)```\n+```(json|text)\n([\s\S]*?)```/g

/** Ids, times and cursors are new in every run; everything else is as it is written. */
const shape = (text: string) =>
  compact(text)
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<id>')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replace(/"(cursor|nextPage)":"[\w-]+"/g, '"$1":"<cursor>"')
    .trim()

/** JSON is laid out for reading in the document. */
function compact(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text))
  } catch {
    return text
  }
}

const pretty = (kind: string, text: string) =>
  kind === 'json' ? JSON.stringify(JSON.parse(text), null, 2) : text.trimEnd()

describe('the README', () => {
  test('has a tour whose commands print what it shows', async () => {
    const readme = readFileSync(path, 'utf8')
    const tour = readme.slice(readme.indexOf('\n## A tour'))
    const steps = [...tour.matchAll(stepPattern)]
    expect(steps.length).toBeGreaterThan(4)
    const directory = mkdtempSync(join(tmpdir(), 'turnlog-test-'))
    await using node = await startNode({ TURNLOG_DATA: directory })
    const separator = '----- next step -----'
    const script = steps
      .map(([, command = '']) => command.replaceAll('http://localhost:3000', node.url))
      .join(`\necho '${separator}'\n`)
    const shell = Bun.spawn(['bash', '-euo', 'pipefail', '-c', script], {
      cwd: directory,
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const [output, errors] = await Promise.all([
      new Response(shell.stdout).text(),
      new Response(shell.stderr).text(),
    ])
    expect({ code: await shell.exited, errors }).toEqual({ code: 0, errors: '' })
    const printed = output
      .split(`${separator}\n`)
      .map((one) => one.replaceAll(node.url, 'http://localhost:3000'))
    if (process.env['UPDATE_DOCS'] === '1') {
      let step = 0
      const updated = tour.replace(stepPattern, (_, command: string, kind: string) => {
        const text = pretty(kind, printed[step++] ?? '')
        return `\`\`\`sh\n${command}\`\`\`\n\n\`\`\`${kind}\n${text}\n\`\`\``
      })
      writeFileSync(path, readme.replace(tour, updated))
    } else {
      expect(printed.map(shape)).toEqual(steps.map(([, , , shown = '']) => shape(shown)))
    }
    rmSync(directory, { recursive: true, force: true })
  }, 60_000)

  test('names commands that package.json has', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const readme = readFileSync(path, 'utf8')
    const named = [...readme.matchAll(/(?:npm|bun) run ([a-z:-]+)/g)].map(([, name]) => name)
    for (const name of named) expect(Object.keys(scripts)).toContain(name ?? '')
  })

  test('links to files that are there', () => {
    for (const file of ['README.md', 'docs/ARCHITECTURE.md', 'AGENTS.md', 'CHANGELOG.md']) {
      const text = readFileSync(join(root, file), 'utf8')
      for (const [, target = ''] of text.matchAll(/\]\((?!https?:|#)([^)#]+)/g))
        expect(
          Bun.file(join(root, file, '..', target)).size,
          `${file} -> ${target}`,
        ).toBeGreaterThan(0)
    }
  })
})
