/**
 * Runs a document: each `sh` block runs in one shell, in order, and its output must have the shape
 * of the block below it. `UPDATE_DOCS=1` writes the output into the document instead.
 */
import { expect } from 'bun:test'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dir, '..', '..')

/** A step of a tour: a command, and the block that shows its output. */
const stepPattern = /```sh\n([\s\S]*?)```\n+```(json|text)\n([\s\S]*?)```/g

/**
 * The text with placeholders for ids, times, cursors and measured values, which differ in every
 * run.
 */
const shape = (text: string) =>
  compact(text)
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<id>')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replace(/"(cursor|nextPage)":"[\w-]+"/g, '"$1":"<cursor>"')
    .replace(/\d+\.\d ms/g, '<ms>')
    .replace(/Bun \S+ on \w+ \w+/g, 'Bun <version>')
    .replace(/Postgres \d+\.\d+/g, 'Postgres <version>')
    .replace(/ of \d+; in use now: \d+/g, ' of <n>; in use now: <n>')
    .trim()

/** The text without the line breaks of JSON, which a document lays out for reading. */
function compact(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text))
  } catch {
    return text
  }
}

const pretty = (kind: string, text: string) =>
  kind === 'json' ? JSON.stringify(JSON.parse(text), null, 2) : text.trimEnd()

/**
 * Walks `file` from the first occurrence of `from`. Returns the number of steps. `names` are pairs:
 * a text in the document, and the text that replaces it in this run (such as a URL). Commands can
 * call `turnlog` and import the project's libraries.
 */
export async function walk(
  file: string,
  { from = '', names }: { from?: string; names: readonly (readonly [string, string])[] },
): Promise<number> {
  const document = readFileSync(join(root, file), 'utf8')
  const tour = document.slice(document.indexOf(from))
  const steps = [...tour.matchAll(stepPattern)]
  const translated = (text: string, [to, back]: [0 | 1, 0 | 1]) =>
    names.reduce((result, pair) => result.replaceAll(pair[to], pair[back]), text)
  const separator = '----- next step -----'
  const commands = steps.map(([, command = '']) => translated(command, [0, 1]))
  const bun = `bun() { '${process.execPath}' "$@"; }`
  const printed = (await run([bun, commands.join(`\necho '${separator}'\n`)].join('\n')))
    .split(`${separator}\n`)
    .map((one) => translated(one, [1, 0]))
  if (process.env['UPDATE_DOCS'] === '1') {
    let step = 0
    const updated = tour.replace(stepPattern, (_, command: string, kind: string) => {
      const text = pretty(kind, printed[step++] ?? '')
      return `\`\`\`sh\n${command}\`\`\`\n\n\`\`\`${kind}\n${text}\n\`\`\``
    })
    writeFileSync(
      join(root, file),
      document.replace(tour, () => updated),
    )
  } else {
    expect(printed.map(shape)).toEqual(steps.map(([, , , shown = '']) => shape(shown)))
  }
  return steps.length
}

/** Runs a script and returns its output. It must end with 0 and write nothing to standard error. */
async function run(script: string): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'turnlog-test-'))
  // All libraries of the project, and the project itself as an installed package.
  const libraries = join(directory, 'node_modules')
  mkdirSync(libraries)
  for (const name of readdirSync(join(root, 'node_modules')))
    symlinkSync(join(root, 'node_modules', name), join(libraries, name))
  symlinkSync(root, join(libraries, 'turnlog'))
  // `turnlog` is a program, not a function of the shell, so that in the background it has a process
  // id.
  const programs = join(directory, 'node_modules/.programs')
  mkdirSync(programs)
  const main = join(root, 'src/main.ts')
  const turnlog = `#!/bin/sh\nexec '${process.execPath}' --no-env-file '${main}' "$@"\n`
  writeFileSync(join(programs, 'turnlog'), turnlog, { mode: 0o755 })
  const shell = Bun.spawn(['bash', '-euo', 'pipefail', '-c', script], {
    // The shell leads a process group, so that the processes it leaves running can be ended.
    detached: true,
    cwd: directory,
    env: { PATH: `${programs}:${process.env['PATH'] ?? ''}` },
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const streams = [shell.stdout, shell.stderr].map((stream) => new Response(stream).text())
  const code = await shell.exited
  endGroup(shell.pid)
  const [output = '', errors] = await Promise.all(streams)
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  expect({ code, errors }).toEqual({ code: 0, errors: '' })
  return output
}

function endGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL')
  } catch (reason) {
    // No process of the group is running any more.
    if (!(reason instanceof Error && 'code' in reason && reason.code === 'ESRCH')) throw reason
  }
}
