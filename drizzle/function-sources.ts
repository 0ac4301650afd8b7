/** The sources of the database's functions. Each file has one function and, if any, its trigger. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expandPlaceholders } from './function-placeholders.ts'

/** The line between two statements of a migration or a source. drizzle's migrator splits there. */
export const breakpoint = '--> statement-breakpoint'

export type FunctionSource = {
  /** The name of the function. Its file has the same name and `.sql`. */
  readonly name: string
  /** The whole file, without the line break at its end. */
  readonly source: string
  /** The source with its placeholders expanded. */
  readonly text: string
}

/** Reads the functions in `<migrationsFolder>/functions`, in the order of their names. */
export function readFunctionSources(migrationsFolder: string): FunctionSource[] {
  const folder = join(migrationsFolder, 'functions')
  return readdirSync(folder)
    .filter((file) => file.endsWith('.sql'))
    .sort()
    .map((file) => {
      const source = readFileSync(join(folder, file), 'utf8').trimEnd()
      return { name: file.slice(0, -'.sql'.length), source, text: expandPlaceholders(source) }
    })
}

/** The number, from 1, of the line of `source` that holds the character at `index` of `text`. */
export function sourceLine({ source, text }: FunctionSource, index: number): number {
  const expandedLine = text.slice(0, index).split('\n').length
  let lines = 0
  const isBefore = (line: string) => {
    lines += expandPlaceholders(line).split('\n').length
    return lines < expandedLine
  }
  return source.split('\n').findIndex((line) => !isBefore(line)) + 1
}

export const statementsOf = (text: string): string[] => text.split(breakpoint)

/** The names of the functions that a source defines. */
export const definedFunctions = (text: string): string[] =>
  [...text.matchAll(/^\s*CREATE\s+(?:OR\s+REPLACE\s+)?(?:FUNCTION|PROCEDURE)\s+([\w."]+)/gim)].map(
    ([, name = '']) => name,
  )
