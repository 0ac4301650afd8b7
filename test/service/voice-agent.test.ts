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

test('the voice agent and its second terminal say that no service answers, and print their help', async () => {
  const run = (words: readonly string[]) => {
    const { exitCode, stdout, stderr } = Bun.spawnSync([process.execPath, ...words], {
      cwd: tmpdir(),
    })
    return { code: exitCode, out: String(stdout), err: String(stderr) }
  }
  for (const name of ['agent', 'watch']) {
    const program = join(root, `examples/voice-agent/${name}.ts`)
    const away = run([program, '--service', 'http://127.0.0.1:1'])
    expect([name, away.code, away.out, away.err]).toEqual([
      name,
      1,
      '',
      expect.stringMatching(
        /^No Turnlog service answers at http:\/\/127\.0\.0\.1:1: .*\nStart one with .*--service <url>\.\n$/,
      ),
    ])
    const help = run([program, '--help'])
    expect([help.code, help.out]).toEqual([0, expect.stringContaining(`Usage: bun examples/`)])
    expect(help.out).toContain('--service <url>')
    const wrong = run([program, '--sevrice', 'x'])
    expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining('--sevrice')])
  }
}, 60_000)

test('the commands in the README of the voice agent print what it shows', async () => {
  await using node = await startNode({ DATABASE_URL: await testDatabaseUrl() })
  const names = [
    ['http://localhost:3000', node.url],
    ['bun examples/', `bun ${root}/examples/`],
  ] as const
  expect(await walk('examples/voice-agent/README.md', { names })).toBe(2)
}, 60_000)
