/**
 * The Dockerfile, tested without a container engine: its instructions are checked, then carried out
 * in a temporary directory, and the service is started from there.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import packageJson from '../../package.json'
import { readCopy, readDockerfile, readExec, type Stage, textsOf } from '../support/dockerfile.ts'
import { testDatabaseUrl } from '../support/servers/postgres.ts'
import { freePort, until } from '../support/servers/processes.ts'

const root = join(import.meta.dir, '../..')
const stages = readDockerfile(readFileSync(join(root, 'Dockerfile'), 'utf8'))
const last = stages.at(-1) as Stage
const ignore = readFileSync(join(root, '.dockerignore'), 'utf8')

const one = (name: string): string => {
  const texts = textsOf(last, name)
  expect([name, texts.length]).toEqual([name, 1])
  return texts[0] ?? ''
}

const healthcheck = () => readExec(/CMD (\[.*\])$/.exec(one('HEALTHCHECK'))?.[1] ?? '')

const environment = (): Record<string, string> =>
  Object.fromEntries(
    textsOf(last, 'ENV')
      .flatMap((text) => text.split(' '))
      .map((pair) => pair.split('=') as [string, string]),
  )

describe('the Dockerfile', () => {
  test('each stage of the Dockerfile starts from the exact version of Bun that the project uses', () => {
    const version = packageJson.packageManager.replace('bun@', '')
    expect(stages.map(({ name, image }) => [name, image])).toEqual([
      ['dependencies', `oven/bun:${version}-slim`],
      ['service', `oven/bun:${version}-distroless`],
    ])
  })

  test('each COPY in the Dockerfile names existing files that .dockerignore admits, or another stage', () => {
    const copies = stages.flatMap((stage) => textsOf(stage, 'COPY').map(readCopy))
    for (const { from, sources } of copies) {
      if (from !== undefined) {
        expect(stages.map(({ name }) => name)).toContain(from)
        continue
      }
      for (const source of sources) {
        expect([source, existsSync(join(root, source))]).toEqual([source, true])
        expect(ignore.split('\n')).toContain(`!${source}`)
      }
    }
    // .dockerignore admits nothing more: no secret and no half a gigabyte of files goes to the
    // engine.
    const admitted = ignore.split('\n').filter((line) => line.startsWith('!'))
    const copied = copies.flatMap(({ from, sources }) => (from === undefined ? sources : []))
    expect(new Set(admitted)).toEqual(new Set(copied.map((source) => `!${source}`)))
    expect(ignore.split('\n')).toContain('*')
  })

  test('the image runs without a shell, not as root, and does not set AUTH', () => {
    const [user = '', group = ''] = one('USER').split(':')
    for (const id of [user, group]) expect(Number(id)).toBeGreaterThan(0)
    expect(readExec(one('ENTRYPOINT')).slice(1)).toEqual(['--no-env-file', 'src/main.ts'])
    expect(readExec(one('CMD'))).toEqual(['serve'])
    expect(healthcheck().slice(3)).toEqual(['healthcheck'])
    expect(textsOf(last, 'RUN')).toEqual([])
    expect(one('STOPSIGNAL')).toBe('SIGTERM')
    expect(readExec(one('VOLUME'))).toEqual([environment().TURNLOG_DATA ?? ''])
    expect(environment()).not.toHaveProperty('AUTH')
    const owned = textsOf(last, 'COPY')
      .map(readCopy)
      .filter(({ owner }) => owner !== undefined)
    expect(owned.map(({ owner, target }) => [owner, target])).toEqual([[one('USER'), '/data']])
  })
})

test('the command in docs/docker.md sets AUTH and the host names that requests may use', () => {
  const text = readFileSync(join(root, 'docs/docker.md'), 'utf8')
  const [, line = ''] = /^(docker run (?:.*\\\n)*.*)$/m.exec(text) ?? []
  expect(line).toContain('-e AUTH=none')
  expect(line).toContain('-e TURNLOG_SERVER_ALLOWED_HOSTS=localhost')
})

describe('the files of the image', () => {
  const image = mkdtempSync(join(tmpdir(), 'turnlog-image-'))
  const stageRoot = (name: string) => join(image, name)
  const inside = (name: string, path: string) =>
    join(stageRoot(name), path.startsWith('/') ? path : join('/app', path))
  const user = process.getuid?.() === 0 ? { uid: 65532, gid: 65532 } : {}
  afterAll(() => rmSync(image, { recursive: true, force: true }))

  beforeAll(() => {
    // The user of the image, who is no user of this machine, must be able to read it.
    chmodSync(image, 0o755)
    for (const stage of stages) {
      mkdirSync(inside(stage.name, '/app'), { recursive: true })
      mkdirSync(inside(stage.name, '/usr/local/bin'), { recursive: true })
      cpSync(process.execPath, inside(stage.name, '/usr/local/bin/bun'), { dereference: true })
      for (const { name, text } of stage.instructions) {
        if (name === 'COPY') copy(stage, text)
        if (name === 'RUN') run(stage, text)
      }
    }
  }, 60_000)

  function copy(stage: Stage, text: string): void {
    const { from, owner, sources, target } = readCopy(text)
    for (const source of sources) {
      const origin = from === undefined ? join(root, source) : inside(from, source)
      const to = inside(stage.name, target.endsWith('/') ? join(target, basename(source)) : target)
      mkdirSync(dirname(to), { recursive: true })
      // Files of a stage are moved, not copied: nothing else needs them, and there are thousands.
      if (from === undefined) cpSync(origin, to, { recursive: true })
      else renameSync(origin, to)
      if (owner !== undefined && user.uid !== undefined) chownSync(to, user.uid, user.gid)
    }
  }

  function run(stage: Stage, text: string): void {
    const { exitCode, stderr } = Bun.spawnSync(['/bin/sh', '-c', text], {
      cwd: inside(stage.name, '/app'),
      env: {
        PATH: `${inside(stage.name, '/usr/local/bin')}:${process.env.PATH}`,
        HOME: process.env.HOME ?? '',
      },
    })
    expect([text, exitCode, exitCode === 0 ? '' : String(stderr)]).toEqual([text, 0, ''])
  }

  /** Starts a command as the image would, except that its files are in a temporary directory. */
  function start(words: readonly string[], env: Record<string, string>) {
    const [program = '', ...rest] = words
    const variables = { ...environment(), TURNLOG_DATA: inside('service', '/data'), ...env }
    return Bun.spawn([inside('service', program), ...rest], {
      ...user,
      cwd: inside('service', '/app'),
      env: variables,
      stdout: 'pipe',
      stderr: 'pipe',
    })
  }
  const ended = async (words: readonly string[], env: Record<string, string>) => {
    const child = start(words, env)
    const text = await new Response(child.stdout).text()
    const errors = await new Response(child.stderr).text()
    return { code: await child.exited, text: text + errors }
  }
  const entrypoint = readExec(one('ENTRYPOINT'))

  test('the image refuses to listen for other machines unless AUTH=none is set', async () => {
    const { code, text } = await ended([...entrypoint, 'serve'], {})
    expect(code).toBe(2)
    expect(text).toContain('AUTH=none')
  })

  test('the image can migrate a Postgres server, and has no compilers in node_modules', async () => {
    const { code, text } = await ended([...entrypoint, 'migrate'], {
      AUTH: 'none',
      DATABASE_URL: await testDatabaseUrl(),
    })
    expect([code, text]).toEqual([0, expect.stringContaining('was brought up to date')])
    expect(existsSync(inside('service', 'node_modules/typescript'))).toBe(false)
    expect(existsSync(inside('service', 'node_modules/@biomejs'))).toBe(false)
  })

  test('the image serves from its volume as its own user, passes its health check, and ends at SIGTERM', async () => {
    const port = await freePort()
    // The health check must not use the proxy that the environment names.
    const env = { AUTH: 'none', PORT: `${port}`, http_proxy: 'http://127.0.0.1:1' }
    expect((await ended(healthcheck(), env)).code).toBe(1)
    const child = start([...entrypoint, ...readExec(one('CMD'))], env)
    const url = `http://127.0.0.1:${port}`
    const ready = async () => (await fetch(`${url}/readyz`).catch(() => undefined))?.status === 200
    await until('it is ready', async () => child.exitCode !== null || (await ready()), 60_000)
    expect(child.exitCode).toBeNull()
    expect(await ended(healthcheck(), env)).toEqual({
      code: 0,
      text: `${url}/healthz answers 200\n`,
    })
    const created = await fetch(`${url}/v1/conversations`, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json' },
    })
    expect(created.status).toBe(201)
    for (const path of ['/swagger', '/swagger/assets/swagger-ui-bundle.js', '/swagger/json'])
      expect([path, (await fetch(`${url}${path}`)).status]).toEqual([path, 200])
    child.kill(one('STOPSIGNAL') as 'SIGTERM')
    expect(await child.exited).toBe(0)
    expect((await ended(healthcheck(), env)).code).toBe(1)
  }, 90_000)
})
