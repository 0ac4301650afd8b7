/** The example of a voice agent, run as its users run it. */
import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startNode } from '../support/servers/node.ts'
import { testDatabaseUrl } from '../support/servers/postgres.ts'
import { walk } from '../support/tour.ts'

const root = join(import.meta.dir, '../..')

test('a voice agent stores every dialogue word for word although its connection is cut repeatedly', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'turnlog-voice-agent-'))
  await using node = await startNode({ DATABASE_URL: await testDatabaseUrl() })
  const agent = join(root, 'examples/voice-agent/agent.ts')
  const child = Bun.spawn(
    [process.execPath, agent, '--service', node.url, '--fast', '--seed', '3', '--cuts', '60'],
    { cwd: directory, stdout: 'pipe', stderr: 'pipe' },
  )
  const [printed, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  expect({ code: await child.exited, errors }).toEqual({ code: 0, errors: '' })
  expect(printed.match(/: word for word$/gm)?.length).toBe(3)
  expect(Number(/cuts of the line +(\d+)/.exec(printed)?.[1])).toBeGreaterThan(3)
  rmSync(directory, { recursive: true, force: true })
}, 60_000)

test('the commands in the README of the voice agent print what it shows', async () => {
  await using node = await startNode({ DATABASE_URL: await testDatabaseUrl() })
  const names = [
    ['http://localhost:3000', node.url],
    ['bun examples/', `bun ${root}/examples/`],
  ] as const
  expect(await walk('examples/voice-agent/README.md', { names })).toBe(2)
}, 60_000)
