/** Programs that tests need and no npm package brings. */
import { spawnSync } from 'node:child_process'

/**
 * Makes programs available: from PATH, or installed where we are root and have apt-get. Two test
 * processes run side by side: the second one waits for the first, 300 s at most.
 *
 * @param programs names to look up on PATH
 * @param packages Debian packages that bring them
 * @returns undefined once every program is on PATH, else why one is not
 */
export function provide(
  programs: readonly string[],
  packages: readonly string[],
): string | undefined {
  const missing = () => programs.filter((program) => Bun.which(program) === null)
  if (missing().length === 0) return undefined
  const names = missing().join(', ')
  if (process.getuid?.() !== 0 || Bun.which('apt-get') === null || Bun.which('flock') === null)
    return `no ${names} on PATH, and none can be installed`
  const aptGet = 'apt-get -o DPkg::Lock::Timeout=300'
  const install = `${aptGet} install -y --no-install-recommends ${packages.join(' ')}`
  // `apt-get update` has a lock of its own, for which it does not wait.
  const all = `${install} || { ${aptGet} update && ${install}; }`
  const { stderr } = spawnSync(
    'flock',
    ['-w', '300', '/tmp/turnlog-apt-get.lock', 'sh', '-c', all],
    {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      encoding: 'utf8',
      timeout: 420_000,
    },
  )
  if (missing().length === 0) return undefined
  return `${names} could not be installed: ${stderr?.trim().split('\n').at(-1)}`
}
