/** The stored figures of the benches: one JSON file each, with machine, versions and commands. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Comparison } from './comparison.ts'
import type { Skipped } from './ledger.ts'
import type { Machine } from './machine.ts'
import { type BenchName, benchNames } from './rows.ts'

export type Results = {
  readonly bench: BenchName
  readonly date: string
  readonly runs: number
  readonly secondsPerRun: number
  readonly machine: Machine
  readonly commands: readonly string[]
  readonly comparisons: readonly Comparison[]
  readonly skipped: readonly Skipped[]
}

/** Folder of the figures that the report is made from. */
export const resultsFolder = join(import.meta.dir, '../results')

/** Folder of figures with too few runs. */
export const shortFolder = join(import.meta.dir, '../.short')

export function writeResults(folder: string, results: Results): string {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${results.bench}.json`)
  writeFileSync(file, `${JSON.stringify(results, rounded, 2)}\n`)
  return file
}

/** Rounds to six digits: no bench measures more precisely. */
const rounded = (_: string, value: unknown) =>
  typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value

/** Reads the stored figures in the order of the benches. */
export function readResults(folder: string): Results[] {
  return benchNames.flatMap((name) => {
    const file = join(folder, `${name}.json`)
    return existsSync(file) ? [JSON.parse(readFileSync(file, 'utf8')) as Results] : []
  })
}
