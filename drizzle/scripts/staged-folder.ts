/**
 * A copy of drizzle/ in which a migration is made, so that a refusal leaves the folder unchanged.
 */
import { spawnSync } from 'node:child_process'
import { constants, copyFileSync, cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MigrationRefusal, reasonOf } from './migration-refusal.ts'

const kit = join(dirname(fileURLToPath(import.meta.resolve('drizzle-kit'))), 'bin.cjs')
const kitOptions = ['--dialect=postgresql', '--schema=./drizzle/schema.ts', '--out=./drizzle']

export class StagedFolder implements Disposable {
  readonly folder: string
  readonly #original: string
  readonly #directory = mkdtempSync(join(tmpdir(), 'turnlog-migration-'))

  constructor(original: string) {
    this.#original = original
    this.folder = join(this.#directory, 'drizzle')
    cpSync(original, this.folder, { recursive: true })
    // schema.ts imports packages, which it finds through this link.
    symlinkSync(join(dirname(original), 'node_modules'), join(this.#directory, 'node_modules'))
  }

  /**
   * Lets drizzle-kit compare schema.ts with the last snapshot. Returns whether it made a migration.
   */
  makeTables(name: string): boolean {
    const words = ['generate', ...kitOptions, '--name', name]
    const { status, output } = this.#run(words, 'pipe')
    const report = output.join('\n')
    if (/No schema changes/.test(report)) return false
    if (/Interactive prompts require/.test(report)) {
      this.#askRenames(words)
      return true
    }
    if (status === 0 && /\.sql\b/.test(report)) return true
    const reason =
      report.split('\n').find((line) => /error/i.test(line)) ?? `it ended with ${status}`
    throw new MigrationRefusal(
      `drizzle-kit cannot compare drizzle/schema.ts with the last snapshot: ${reason.trim()}`,
    )
  }

  /** Makes the journal's entry and the snapshot of a migration that changes no tables. */
  makeEmpty(name: string): void {
    const { status } = this.#run(['generate', ...kitOptions, '--name', name, '--custom'], 'pipe')
    if (status !== 0) throw new MigrationRefusal(`drizzle-kit ended with ${status}.`)
  }

  /**
   * Copies new files into the original folder, and at last the journal, which makes them a
   * migration.
   */
  moveIn(files: readonly string[]): void {
    const moved: string[] = []
    try {
      for (const file of files) {
        const target = join(this.#original, file)
        copyFileSync(join(this.folder, file), target, constants.COPYFILE_EXCL)
        moved.push(target)
      }
      const journal = join('meta', '_journal.json')
      copyFileSync(join(this.folder, journal), join(this.#original, journal))
    } catch (thrown) {
      for (const target of moved) rmSync(target, { force: true })
      throw new MigrationRefusal(`The files cannot be written: ${reasonOf(thrown)}.`)
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true })
  }

  /** Runs drizzle-kit again on the terminal, where it can ask whether something was renamed. */
  #askRenames(words: readonly string[]): void {
    if (!process.stdin.isTTY || !process.stdout.isTTY)
      throw new MigrationRefusal(
        'drizzle-kit asks whether a column or a table was renamed or is new: run this on a terminal, to answer it.',
      )
    this.#run(words, 'inherit')
  }

  #run(words: readonly string[], stdio: 'inherit' | 'pipe') {
    return spawnSync(process.execPath, [kit, ...words], {
      cwd: this.#directory,
      stdio: stdio === 'pipe' ? ['ignore', 'pipe', 'pipe'] : 'inherit',
      encoding: 'utf8',
    })
  }
}
