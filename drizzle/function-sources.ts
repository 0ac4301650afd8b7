/** The sources of the database's functions: one file a function, with whatever belongs to it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expandPlaceholders } from './function-placeholders.ts'

/** What separates two statements of a migration, and of a source: drizzle's migrator splits by it. */
export const breakpoint = '--> statement-breakpoint'

export type FunctionSource = {
  /** Of the function and, with `.sql` behind it, of its file. */
  readonly name: string
  /** The whole file with its placeholders expanded, without the line break at its end. */
  readonly text: string
}

/** The functions in `<migrationsFolder>/functions`, by their names. */
export function readFunctionSources(migrationsFolder: string): FunctionSource[] {
  const folder = join(migrationsFolder, 'functions')
  return readdirSync(folder)
    .filter((file) => file.endsWith('.sql'))
    .sort()
    .map((file) => ({
      name: file.slice(0, -'.sql'.length),
      text: expandPlaceholders(readFileSync(join(folder, file), 'utf8').trimEnd()),
    }))
}

export const statementsOf = (text: string): string[] => text.split(breakpoint)

/** The names of the functions that a source defines. */
export const definedFunctions = (text: string): string[] =>
  [...text.matchAll(/^\s*CREATE\s+(?:OR\s+REPLACE\s+)?(?:FUNCTION|PROCEDURE)\s+([\w."]+)/gim)].map(
    ([, name = '']) => name,
  )
