/** CPU time of processes. On a shared machine it varies less than a rate does. */
import { readFileSync } from 'node:fs'
import { familyOf } from '../../test/support/servers/processes.ts'
import type { CpuMicros, Sample } from '../report/comparison.ts'

/** Units of /proc/<pid>/stat per second. Linux reports hundredths on every kernel. */
const ticksPerSecond = 100

/**
 * CPU seconds of all threads of a process and of its children that have ended. 0 if there is no
 * /proc.
 */
export function cpuSeconds(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // utime, stime, cutime and cstime are fields 14 to 17. The name before them may contain
    // anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
    return ticks / ticksPerSecond
  } catch {
    return 0
  }
}

/**
 * The processes whose CPU is measured, by name: one process, or one with all its children
 * (Postgres).
 */
export type WatchedProcesses = Readonly<Record<string, number | { readonly family: number }>>

const cpuSecondsOf = (watched: WatchedProcesses[string]): number =>
  typeof watched === 'number'
    ? cpuSeconds(watched)
    : familyOf(watched.family).reduce((sum, pid) => sum + cpuSeconds(pid), 0)

export type LoadFigures = {
  readonly value: number
  readonly operations: number
  /**
   * CPU seconds of the program that made the load. It has ended, so it is not among the watched
   * ones.
   */
  readonly clientSeconds?: number
}

/** Runs `act` and adds the CPU that each watched process spent per operation. */
export async function metered(
  watched: WatchedProcesses,
  act: () => Promise<LoadFigures>,
): Promise<Sample> {
  const look = () =>
    Object.entries(watched).map(([name, each]) => [name, cpuSecondsOf(each)] as const)
  const before = new Map(look())
  const { value, operations, clientSeconds } = await act()
  const perOperation = (seconds: number) => (seconds * 1e6) / operations
  const cpu: CpuMicros = Object.fromEntries([
    ...look().map(([name, seconds]) => [name, perOperation(seconds - (before.get(name) ?? 0))]),
    ...(clientSeconds === undefined ? [] : [['client', perOperation(clientSeconds)]]),
  ])
  return { value, cpu }
}

/** Runs a program to its end. Returns its output and the seconds of CPU that it took. */
export async function runProgram(words: string[], options: { cwd?: string } = {}) {
  const child = Bun.spawn(words, { ...options, stdout: 'pipe', stderr: 'pipe' })
  const [output, errors, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  if (code !== 0) throw new Error(`${words[0]} failed (${code}):\n${errors}${output}`)
  return { output, seconds: Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1e6 }
}
