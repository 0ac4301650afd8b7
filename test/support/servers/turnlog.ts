/** The command line, run to its end in a process of its own. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const main = join(import.meta.dir, '../../../src/main.ts')

export type FinishedCommand = {
  readonly code: number
  readonly out: string
  readonly err: string
  /** Peak memory of the process, in bytes. */
  readonly memory: number
}

export type RunOptions = {
  readonly stdin?: string | Uint8Array | ReadableStream<Uint8Array>
  readonly cwd?: string
}

export type Running = { readonly kill: () => void; readonly ended: Promise<FinishedCommand> }

export const runTurnlog = (
  words: readonly string[],
  options?: RunOptions,
): Promise<FinishedCommand> => startTurnlog(words, options).ended

export function startTurnlog(words: readonly string[], { stdin, cwd }: RunOptions = {}): Running {
  const child = Bun.spawn([process.execPath, main, ...words], {
    ...(cwd === undefined ? {} : { cwd }),
    env: { PATH: process.env['PATH'] ?? '' },
    stdin: typeof stdin === 'string' ? new TextEncoder().encode(stdin) : (stdin ?? 'ignore'),
    stdout: 'pipe',
    stderr: 'pipe',
  })
  // The child's resource usage cannot be used: its peak begins with the larger one of this process.
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

/** Peak memory of a running process in bytes. 0 if the system does not report it. */
function peakOf(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    return Number(/VmHWM:\s*(\d+) kB/.exec(status)?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}
