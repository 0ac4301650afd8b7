/** Debian packages that tests need and no npm package brings. */
import { spawnSync } from 'node:child_process'

/**
 * Makes the programs available: on PATH, or installed where we are root and have apt-get.
 *
 * @param name what the reason calls the programs
 * @param programs names to look up on PATH
 * @param packages Debian packages that bring them
 * @returns undefined once every program is on PATH, else why one is not
 */
export function provide(
  name: string,
  programs: readonly string[],
  packages: readonly string[],
): string | undefined {
  const isThere = () => programs.every((program) => Bun.which(program) !== null)
  if (isThere()) return undefined
  if (process.getuid?.() !== 0 || Bun.which('apt-get') === null)
    return `no ${name} on PATH, and none can be installed`
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  // Two test processes run side by side: the second waits for the lock of the first.
  const aptGet = (...args: string[]) =>
    spawnSync('apt-get', ['-o', 'DPkg::Lock::Timeout=300', ...args], {
      env,
      encoding: 'utf8',
      timeout: 300_000,
    })
  const install = () => aptGet('install', '-y', '--no-install-recommends', ...packages)
  let last = install()
  if (last.status !== 0) {
    aptGet('update')
    last = install()
  }
  if (isThere()) return undefined
  const reason = last.stderr?.trim().split('\n').at(-1) ?? last.error?.message
  return `${name} could not be installed: ${reason}`
}
