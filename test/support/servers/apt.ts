/** Programs that tests need and that no npm package contains. */
import { spawnSync } from 'node:child_process'

/**
 * Makes programs available: from PATH, or installed if this process is root and has apt-get. If two
 * test processes install at a time, the second one waits for the first, at most 300 s.
 *
 * @param programs names to look up on PATH
 * @param packages Debian packages that bring them
 * @returns undefined if every program is on PATH, otherwise the reason why one is not
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
  // `apt-get update` fails at once if another process holds its lock.
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
