/** Processes and ports for tests. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Waits until `condition` holds. Fails with the text of the condition after `withinMs`
 * milliseconds.
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 30_000,
): Promise<void> {
  const end = performance.now() + withinMs
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`Not true within ${withinMs} ms: ${what}`)
    await Bun.sleep(5)
  }
}

/** Runs a program to its end. A failure has the text that it wrote to stderr. */
export async function run(
  program: string,
  args: readonly string[],
  owner: { uid?: number; gid?: number } = {},
): Promise<void> {
  const child = spawn(program, [...args], {
    ...owner,
    cwd: '/',
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env.PATH, LC_ALL: 'C' },
  })
  let written = ''
  child.stderr?.on('data', (chunk) => {
    written += chunk
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${program} failed (${code}): ${written}`)
}

/** A program that runs until it is disposed, and the lines that it has printed. */
export function startProgram(command: string[], line: (raw: string) => string | undefined) {
  const child = Bun.spawn(command, { stdin: 'pipe', stdout: 'pipe', stderr: 'pipe' })
  const lines: string[] = []
  const read = async (stream: ReadableStream<Uint8Array>) => {
    let rest = ''
    const decoder = new TextDecoder()
    for await (const chunk of stream) {
      const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n')
      rest = parts.pop() ?? ''
      lines.push(...parts.flatMap((part) => line(part) ?? []))
    }
  }
  const reading = Promise.all([read(child.stdout), read(child.stderr)])
  return {
    lines,
    async [Symbol.asyncDispose]() {
      // A child process that still runs, as a browser's may, would keep the streams open.
      for (const pid of familyOf(child.pid)) killIfAlive(pid)
      await Promise.all([child.exited, reading])
    },
  }
}

function killIfAlive(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // The process has ended by itself.
  }
}

/** The ids of a process and its children, the process first; empty if it has ended. */
export function familyOf(pid: number): number[] {
  const table = processTable()
  const family = table.filter((each) => each.pid === pid || each.parent === pid)
  return family.map((each) => each.pid).sort((a, b) => Number(b === pid) - Number(a === pid))
}

/** Whether any of the processes runs. A zombie does not. */
export function anyAlive(pids: readonly number[]): boolean {
  return processTable().some(({ pid }) => pids.includes(pid))
}

function processTable(): { pid: number; parent: number }[] {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid=,stat='], { encoding: 'utf8' })
  return stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , state = 'Z']) => !state.startsWith('Z'))
    .map(([pid, parent]) => ({ pid: Number(pid), parent: Number(parent) }))
}

/** A TCP port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('The socket has no port')
  return address.port
}
