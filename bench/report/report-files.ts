/** Reads the stored figures of a report, and writes the report. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Report, readNotes, reportOf } from './report.ts'
import { readResults, resultsFolder } from './results.ts'

const docsFolder = join(import.meta.dir, '../../docs')

/** The report made from the figures in a folder. Throws if the folder has none. */
export function storedReport(folder: string = resultsFolder): Report {
  const results = readResults(folder)
  if (results.length === 0) throw new Error(`${folder} has no figures: run a bench first`)
  return reportOf(results, readNotes(readFileSync(join(import.meta.dir, '../notes.md'), 'utf8')))
}

export function writeReport({ markdown, charts }: Report, folder: string = docsFolder): string {
  const chartsFolder = join(folder, 'benchmarks')
  mkdirSync(chartsFolder, { recursive: true })
  for (const name of readdirSync(chartsFolder)) rmSync(join(chartsFolder, name))
  for (const [name, svg] of charts) writeFileSync(join(chartsFolder, name), svg)
  const file = join(folder, 'BENCHMARKS.md')
  writeFileSync(file, markdown)
  return file
}
