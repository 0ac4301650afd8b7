/**
 * Small inputs that other systems imported wrongly. They are in a folder next to the project, with
 * the right results.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** The folder of the cases. The environment variable `CASES` names another one. */
const folder = process.env['CASES'] ?? join(import.meta.dir, '..', '..', '..', 'shared', 'cases')

export const casePath = (file: string): string => join(folder, file)

/** Whether the cases exist. Tests that need them are skipped if they do not. */
export const casesAreHere = existsSync(casePath('README.md'))
