/** The command line as a process of its own, to its end. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const main = join(import.meta.dir, '../../../src/main.ts')

export type Ran = {
  readonly code: number
  readonly out: string
  readonly err: string
  /** Bytes at the peak. */
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
  // A child's own account of its peak begins with that of the process that made it, which is larger.
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

/** The most memory that a running process has held, in bytes; 0 where the system does not tell. */
function peakOf(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    return Number(/VmHWM:\s*(\d+) kB/.exec(status)?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}
