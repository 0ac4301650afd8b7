/** Small inputs that other systems got wrong. They lie beside the project, with their right results. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** `CASES` is another place than beside the project. */
const folder = process.env['CASES'] ?? join(import.meta.dir, '..', '..', '..', 'shared', 'cases')

export const casePath = (file: string): string => join(folder, file)

/** A clone without the cases beside it tests everything else. */
export const casesAreHere = existsSync(casePath('README.md'))
