/** Runs the command line in its own process, to its end. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const main = join(import.meta.dir, '../../../src/main.ts')

export type Ran = {
  readonly code: number
  readonly out: string
  readonly err: string
  /** The peak of its memory in bytes. */
  readonly memory: number
}

export type RunOptions = {
  readonly stdin?: string | Uint8Array | ReadableStream<Uint8Array>
  readonly cwd?: string
}

export type Running = { readonly kill: () => void; readonly ended: Promise<Ran> }

export const runTurnlog = (words: readonly string[], options?: RunOptions): Promise<Ran> =>
  startTurnlog(words, options).ended

export function startTurnlog(words: readonly string[], { stdin, cwd }: RunOptions = {}): Running {
  const child = Bun.spawn([process.execPath, main, ...words], {
    ...(cwd === undefined ? {} : { cwd }),
    env: { PATH: process.env['PATH'] ?? '' },
    stdin: typeof stdin === 'string' ? new TextEncoder().encode(stdin) : (stdin ?? 'ignore'),
    stdout: 'pipe',
    stderr: 'pipe',
  })
  // The peak that a child itself reports starts with that of its parent process, which is larger.
  let memory = peakOf(child.pid)
  const watching = setInterval(() => {
    memory = Math.max(memory, peakOf(child.pid))
  }, 5)
  const ending = async () => {
    const texts = [new Response(child.stdout).text(), new Response(child.stderr).text()] as const
    const [out, err, code] = await Promise.all([...texts, child.exited])
    clearInterval(watching)
    return { code, out, err, memory: memory || (child.resourceUsage()?.maxRSS ?? Number.NaN) }
  }
  return { kill: () => child.kill('SIGKILL'), ended: ending() }
}

/** The peak memory of a running process in bytes; 0 if the system does not report it. */
function peakOf(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    return Number(/VmHWM:\s*(\d+) kB/.exec(status)?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}
