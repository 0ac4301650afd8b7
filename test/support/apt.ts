/** Programs that tests need, from Debian's packages where we are root and may install them. */
import { spawnSync } from 'node:child_process'

/**
 * Installs packages; answers why that failed, or `undefined`. Two test processes run side by side: the
 * second one waits for the first.
 */
export function aptInstall(...packages: readonly string[]): string | undefined {
  const names = packages.join(' ')
  if (process.getuid?.() !== 0 || Bun.which('apt-get') === null || Bun.which('flock') === null)
    return `no ${names} on PATH, and none can be installed`
  const aptGet = 'apt-get -o DPkg::Lock::Timeout=300'
  const install = `${aptGet} install -y --no-install-recommends ${names}`
  const { status } = spawnSync(
    'flock',
    // `apt-get update` has a lock of its own, which it does not wait for.
    [
      '-w',
      '300',
      '/tmp/turnlog-apt-get.lock',
      'sh',
      '-c',
      `${install} || { ${aptGet} update && ${install}; }`,
    ],
    {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      stdio: 'ignore',
      timeout: 420_000,
    },
  )
  return status === 0 ? undefined : `${names} could not be installed`
}
