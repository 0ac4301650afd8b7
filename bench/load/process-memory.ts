/** Memory of a process, read from /proc. */
import { readFileSync } from 'node:fs'

const field = (pid: number, name: string): number => {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024
}

/** Resident bytes, including the pages of the program itself. */
export const residentBytes = (pid: number): number => field(pid, 'VmRSS')

/** Resident bytes without the program's pages, which are mapped as they are used, and shared. */
export const anonymousBytes = (pid: number): number => field(pid, 'RssAnon')
