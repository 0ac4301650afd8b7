/** What a process holds of the machine's memory. */
import { readFileSync } from 'node:fs'

const field = (pid: number, name: string): number => {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024
}

/** All of it, with the pages of its program. */
export const residentBytes = (pid: number): number => field(pid, 'VmRSS')

/** Of the process alone: the pages of its program are mapped as they are used, and shared. */
export const anonymousBytes = (pid: number): number => field(pid, 'RssAnon')
