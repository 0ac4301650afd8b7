/** The service as its users run it: in its own process. */
import { join } from 'node:path'
import { call } from '../writing/client.ts'

const root = join(import.meta.dir, '../../..')

export type Node = AsyncDisposable & {
  readonly url: string
  readonly pid: number
  /** The JSON lines that it has written to standard error. */
  readonly log: () => string
  kill(signal: NodeJS.Signals): void
  readonly exited: Promise<number>
}

/** Starts the service. Resolves when it has logged that it listens. */
export async function startNode(
  env: Record<string, string>,
  args: readonly string[] = [],
): Promise<Node> {
  const child = Bun.spawn([process.execPath, join(root, 'src/main.ts'), 'serve', ...args], {
    cwd: root,
    env: { PATH: process.env['PATH'] ?? '', PORT: '0', ...env },
    stdout: 'ignore',
    stderr: 'pipe',
  })
  let log = ''
  const started = Promise.withResolvers<string>()
  const reading = (async () => {
    const decoder = new TextDecoder()
    for await (const chunk of child.stderr) {
      log += decoder.decode(chunk, { stream: true })
      const line = log.split('\n').find((one) => one.includes('"event":"started"'))
      if (line !== undefined) started.resolve(JSON.parse(line).url)
    }
    started.reject(new Error(`the service did not start:\n${log}`))
  })()
  const url = (await started.promise).replace(/\/$/, '')
  return {
    url,
    pid: child.pid,
    log: () => log,
    kill: (signal) => child.kill(signal),
    exited: child.exited,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await child.exited
      await reading
    },
  }
}

export async function createConversations(base: string, count: number): Promise<string[]> {
  const ids: string[] = []
  for (let n = 0; n < count; n += 1) {
    const answer = await call<{ id: string }>(base, 'POST', '/v1/conversations', {})
    if (answer.kind !== 'answer') throw new Error('no conversation was created')
    ids.push(answer.body.id)
  }
  return ids
}
