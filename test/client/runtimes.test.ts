/** The client in its runtimes: bundled for browsers, in Node and in Deno. */
import { afterAll, describe, expect, test } from 'bun:test'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { gzipSync } from 'bun'
import { type TestApp, testApp } from '../support/servers/app.ts'
import { freePort } from '../support/servers/processes.ts'

const root = join(import.meta.dir, '../..')
const directory = mkdtempSync(join(tmpdir(), 'turnlog-client-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

async function bundle(entry: string, target: 'browser' | 'node', minify = false) {
  const built = await Bun.build({
    entrypoints: [join(root, entry)],
    target,
    minify,
    metafile: true,
  })
  const text = await built.outputs[0]?.text()
  return { text: text ?? '', inputs: Object.keys(built.metafile?.inputs ?? {}) }
}

/** A JavaScript program that uses the client and prints its results. */
const program = `
import { createClient, createConversationState, Problem } from './client.js'
import { openFileJournal } from './file-journal.js'
const [url, path, refusedPort, resetPort] = process.argv.slice(2)
const journal = await openFileJournal(path)
const client = createClient({ url, journal })
const { id } = await client.createConversation({ title: 'from here' })
const state = createConversationState()
const recorded = client.record(id, { user: { text: 'Hello' }, assistant: { responses: ['Hi!'] } })
for await (const event of client.live(id, { tail: 10 })) {
  state.apply(event)
  if (state.messages.length === 2) break
}
const { assistantMessageId } = await recorded
const metadata = { n: 1n }
const turn = { user: { text: 'a', metadata }, assistant: { responses: ['b'] } }
const codes = []
for (const port of [refusedPort, resetPort]) {
  const lost = createClient({ url: 'http://127.0.0.1:' + port, deadlineMs: 400 })
  metadata.n = 1
  for (const write of [() => lost.recordTurn(id, turn), () => lost.patchConversation(id, {})])
    codes.push(await write().catch(({ code, retryable }) => [code, retryable]))
  metadata.n = 1n
  for (const write of [() => lost.recordTurn(id, turn), () => lost.record(id, turn)])
    codes.push(await write().catch(({ code }) => code))
  await lost.close()
}
const missing = await client.getSegment(id, id).catch((thrown) => thrown)
console.log(JSON.stringify({
  texts: state.messages.map(({ content }) => content),
  recorded: state.messages[1].id === assistantMessageId,
  missing: missing instanceof Problem && missing.code,
  codes,
}))
await client.close()
`

const runtimes = [
  // Node has had a WebSocket since 20.10, behind a switch before 22.
  { name: 'node', args: ['--experimental-websocket', '--no-warnings'] },
  {
    name: 'deno',
    args: ['run', '--allow-net', '--allow-read', '--allow-write', '--allow-sys', '--allow-run'],
  },
].filter(({ name }) => Bun.which(name) !== null)

describe('the bundle for browsers', () => {
  test('the bundle has only the client in it and is small', async () => {
    const { text, inputs } = await bundle('src/client/client.ts', 'browser', true)
    const others = inputs.filter(
      (path) =>
        !/(^|\/)src\/(client\/([a-z-]+\/)?[a-z-]+|mechanics\/[a-z-]+|problem-error|problem-codes)\.ts$/.test(
          path,
        ),
    )
    expect(others).toEqual([])
    expect(inputs.filter((path) => path.includes('file-'))).toEqual([])
    expect(text).not.toMatch(/node:|\bprocess\.|\bBuffer\b|\bBun\./)
    const bytes = { minified: Buffer.byteLength(text), gzipped: gzipSync(Buffer.from(text)).length }
    // Private names of classes repeat: they count minified, and hardly gzipped.
    expect(bytes.minified).toBeLessThan(41_200)
    expect(bytes.gzipped).toBeLessThan(15_200)
  })

  test('package.json exports the client and the file journal apart', () => {
    const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    for (const name of ['./client', './client/file-journal'])
      expect(Bun.file(join(root, exports[name])).size).toBeGreaterThan(0)
  })
})

describe('the client in other runtimes', () => {
  test('the client records, follows and reports problems in Node and Deno as in Bun', async () => {
    await using app: TestApp = await testApp()
    const server = app.listen({ host: '127.0.0.1', port: 0 })
    for (const entry of ['client', 'journal/file-journal']) {
      const { text } = await bundle(`src/client/${entry}.ts`, 'node')
      writeFileSync(join(directory, `${basename(entry)}.js`), text)
    }
    writeFileSync(join(directory, 'package.json'), '{"type":"module"}')
    writeFileSync(join(directory, 'program.js'), program)
    expect(runtimes.map(({ name }) => name)).toContain('node')
    const reset = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => socket.resetAndDestroy())
    }).listen(0, '127.0.0.1')
    await once(reset, 'listening')
    const address = reset.address()
    const ports = [await freePort(), typeof address === 'object' ? address?.port : undefined]
    for (const { name, args } of runtimes) {
      const ran = Bun.spawn(
        [
          name,
          ...args,
          join(directory, 'program.js'),
          server.url,
          join(directory, `${name}.journal`),
          ...ports.map(String),
        ],
        { stdout: 'pipe', stderr: 'pipe' },
      )
      const [output, errors] = await Promise.all([
        new Response(ran.stdout).text(),
        new Response(ran.stderr).text(),
      ])
      expect({ name, code: await ran.exited, errors }).toEqual({ name, code: 0, errors: '' })
      expect(JSON.parse(output)).toEqual({
        texts: ['Hello', 'Hi!'],
        recorded: true,
        missing: 'segment-not-found',
        codes: [
          ['service-unreachable', true],
          ['service-unreachable', true],
          'input-not-json',
          'input-not-json',
          ['outcome-unknown', false],
          ['outcome-unknown', false],
          'input-not-json',
          'input-not-json',
        ],
      })
    }
    reset.close()
    await server.stop(1000)
  }, 60_000)
})
