/**
 * Small inputs that other systems got wrong, with their right results. They are stored beside the
 * project.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Folder of the cases. The environment variable CASES names another one than beside the project.
 */
const folder = process.env['CASES'] ?? join(import.meta.dir, '..', '..', '..', 'shared', 'cases')

export const casePath = (file: string): string => join(folder, file)

/** False in a clone without the cases: it runs all other tests. */
export const casesAreHere = existsSync(casePath('README.md'))
