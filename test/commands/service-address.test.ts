/** The service that an import or export uses. */
import { afterEach, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startNode } from '../support/servers/node.ts'
import { testDatabaseUrl } from '../support/servers/postgres.ts'
import { directory, endServices, ran } from '../support/servers/serving.ts'

afterEach(endServices)

describe('the service of an import or export', () => {
  const exported = async (env: Record<string, string>, words: readonly string[] = []) =>
    await ran(['export', '--all', '--patience', '0', ...words], env)

  test('TURNLOG_URL names the service, and --url goes before it', async () => {
    await using node = await startNode({ DATABASE_URL: await testDatabaseUrl() })
    const named = await exported({ TURNLOG_URL: node.url })
    expect([named.code, named.err]).toEqual([
      0,
      `The service is ${node.url} (environment TURNLOG_URL).\nExported 0 conversations with 0 messages.\n`,
    ])
    const flag = await exported({ TURNLOG_URL: 'http://127.0.0.1:1' }, ['--url', node.url])
    expect([flag.code, flag.err]).toEqual([0, 'Exported 0 conversations with 0 messages.\n'])
    const { port } = new URL(node.url)
    const ported = await exported({ PORT: port })
    expect([ported.code, ported.err]).toEqual([
      0,
      expect.stringContaining(
        `The service is http://127.0.0.1:${port} (server.port, environment PORT).\n`,
      ),
    ])
    writeFileSync(join(directory, 'x.jsonl'), '{"messages":[{"role":"user","content":"hi"}]}\n')
    const imported = await ran(['import', 'x.jsonl'], { TURNLOG_URL: node.url })
    expect([imported.code, imported.err]).toEqual([
      0,
      `The service is ${node.url} (environment TURNLOG_URL).\n`,
    ])
  }, 60_000)

  test('the port in turnlog.toml and TURNLOG_URL in .env name the service', async () => {
    writeFileSync(join(directory, 'turnlog.toml'), '[server]\nport = 1\n[cache]\nttlSeconds = 0\n')
    const toml = await exported({})
    expect([toml.code, toml.err]).toEqual([
      1,
      expect.stringContaining('The service is http://127.0.0.1:1 (server.port, turnlog.toml:2).\n'),
    ])
    writeFileSync(join(directory, '.env'), 'TURNLOG_URL=http://localhost:1\n')
    // Bun reads .env before the command line does, so the source may be the environment.
    expect((await exported({})).err).toMatch(
      /^The service is http:\/\/localhost:1 \(.*TURNLOG_URL\)/,
    )
  }, 60_000)

  test('an address that names no service is refused, without a secret', async () => {
    for (const [env, text] of [
      [{ TURNLOG_URL: 'localhost' }, 'environment TURNLOG_URL must be an http or https URL'],
      [{ PORT: '0' }, 'The port of the service is unknown'],
      [{ PORT: 'http' }, 'server.port must be a whole number'],
    ] as const) {
      const { code, err } = await exported(env)
      expect([code, err]).toEqual([2, expect.stringContaining(text)])
    }
    const { err } = await exported({ TURNLOG_URL: 'http://u:secret@127.0.0.1:1' })
    expect(err).toContain('The service is http://***@127.0.0.1:1 (environment TURNLOG_URL).')
    expect(err).not.toContain('secret')
  }, 60_000)

  test('TURNLOG_URL does not disturb the other verbs', async () => {
    const { code, err } = await ran(['config'], { TURNLOG_URL: 'http://localhost:1' })
    expect([code, err]).toEqual([0, ''])
  }, 60_000)
})
