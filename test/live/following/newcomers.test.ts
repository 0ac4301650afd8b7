/**
 * The clients of docs/live-clients.md, in foreign tools: each watches and records, and prints the
 * lines that the page shows. Missing tools are skipped. `UPDATE_DOCS=1` writes the printed lines
 * into the page.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { browserMissing, openPage } from '../../support/servers/browser.ts'
import { createConversations, type Node, startNode } from '../../support/servers/node.ts'
import { testDatabaseUrl } from '../../support/servers/postgres.ts'
import { freePort, startProgram, until } from '../../support/servers/processes.ts'

const isLong = process.env['LIVE'] === 'long'
const updates = process.env['UPDATE_DOCS'] === '1'
const path = join(import.meta.dir, '../../../docs/live-clients.md')
const section = (name: string) => readFileSync(path, 'utf8').split(`\n## ${name}\n`)[1] ?? ''
const block = (name: string, kind: string) =>
  new RegExp(`\`\`\`${kind}\n([^]*?)\`\`\``).exec(section(name))?.[1] ?? ''

const directory = mkdtempSync(join(tmpdir(), 'turnlog-newcomers-'))
let node: Node
let start: () => Promise<Node>
beforeAll(async () => {
  const env = { DATABASE_URL: await testDatabaseUrl(), PORT: String(await freePort()) }
  start = () => startNode(env)
  node = await start()
}, 60_000)
afterAll(async () => {
  await node[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true, force: true })
})

const has = (program: string) => Bun.which(program) !== null
/** The first Python with the library. The distribution's own may be second in the PATH. */
const python = ['python3', '/usr/bin/python3'].find(
  (one) => has(one) && Bun.spawnSync([one, '-c', 'import websockets']).exitCode === 0,
)

/** The text with placeholders for ids, times and cursors, which are new in every run. */
const shape = (text: string) =>
  text
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<id>')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replace(/"cursor":( ?)"[\w-]+"/g, '"cursor":$1"<cursor>"')
    .trim()

/** The lines in sorted order, because `recorded` and the change may arrive in either order. */
const sorted = (text: string) => shape(text).split('\n').toSorted()

const question = 'A table for two?'

function shows(name: string, lines: readonly string[]): void {
  const shown = block(name, 'text')
  if (updates) {
    const page = readFileSync(path, 'utf8')
    const at = page.indexOf('```text\n', page.indexOf(`\n## ${name}\n`)) + '```text\n'.length
    const end = page.indexOf('```', at)
    writeFileSync(path, `${page.slice(0, at)}${lines.join('\n')}\n${page.slice(end)}`)
  } else expect(sorted(lines.join('\n'))).toEqual(sorted(shown))
}

/**
 * In the long run the service is killed and restarted. The next turn must arrive once, after the
 * first.
 */
async function resumes(c: string, lines: readonly string[]): Promise<void> {
  if (!isLong) return
  node.kill('SIGKILL')
  await node.exited
  node = await start()
  await fetch(`${node.url}/v1/conversations/${c}/turns`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user: { text: 'And three?' }, assistant: { responses: ['At nine.'] } }),
  })
  await until(
    'the client shows the next turn',
    () => lines.some((line) => line.includes('At nine.')),
    30_000,
  )
  await until('the retried turn is answered', () => /replayed": ?true/.test(lines.join()), 30_000)
  const numbers = lines.flatMap((line) => /^(\d+) (human|ai) /.exec(line)?.[1] ?? [])
  expect(numbers).toEqual(['1', '2', '3', '4'])
}

const recorded = (lines: readonly string[]) =>
  ['"recorded"', 'Yes, at eight.'].every((sign) => lines.some((line) => line.includes(sign)))

describe('a client of docs/live-clients.md', () => {
  test.skipIf(!has('wscat'))(
    'wscat watches and records, and prints the lines of the page',
    async () => {
      const [c = ''] = await createConversations(node.url, 1)
      const command = block('wscat', 'sh')
        .replaceAll('localhost:3000', new URL(node.url).host)
        .replaceAll('$id', c)
      await using wscat = startProgram(['bash', '-c', command], (raw) => raw)
      await until('the turn is recorded and shown', () => recorded(wscat.lines))
      shows('wscat', wscat.lines)
    },
  )

  test.skipIf(python === undefined)(
    'Python with websockets watches and records, and prints the lines of the page',
    async () => {
      const [c = ''] = await createConversations(node.url, 1)
      const file = join(directory, 'live.py')
      writeFileSync(file, block('Python', 'python'))
      const url = node.url.replace('http', 'ws')
      await using client = startProgram([python ?? '', file, url, c, question], (raw) => raw)
      await until('the turn is recorded and shown', () => recorded(client.lines))
      shows('Python', client.lines)
      await resumes(c, client.lines)
    },
    60_000,
  )

  test.skipIf(browserMissing() !== undefined)(
    'a web page watches and records, and shows the lines of the page',
    async () => {
      const [c = ''] = await createConversations(node.url, 1)
      const page = block('A web page', 'html')
      using server = Bun.serve({
        port: 0,
        hostname: 'localhost',
        fetch: () => new Response(page, { headers: { 'content-type': 'text/html' } }),
      })
      const where = `http://localhost:${server.port}/live.html#${node.url.replace('http', 'ws')},${c},${question}`
      await using browser = openPage(where)
      await until('the turn is recorded and shown', () => recorded(browser.lines), 30_000)
      shows('A web page', browser.lines)
      await resumes(c, browser.lines)
    },
    90_000,
  )
})
