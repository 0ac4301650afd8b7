/** The machine and the versions of the programs that a result was measured with. */
import { readFileSync, statfsSync } from 'node:fs'
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os'
import type { PostgresFacts } from '../load/postgres-server.ts'

export type Machine = {
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
  readonly system: string
  /** File system of the folder that Postgres has its data in. */
  readonly fileSystem: string
  /** Load average of the minute before the start: how busy other processes kept the machine. */
  readonly loadBefore: number
  readonly postgres: Readonly<Record<string, string>>
  readonly versions: Readonly<Record<string, string>>
}

export function machineFacts(postgres: PostgresFacts): Machine {
  const [first] = cpus()
  return {
    cpu: first?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${systemName()}, kernel ${release().split('-')[0]}`,
    fileSystem: fileSystem(tmpdir()),
    loadBefore: Number((loadavg()[0] ?? 0).toFixed(2)),
    postgres: postgres.settings,
    versions: {
      turnlog: revision(),
      bun: Bun.version,
      postgres: postgres.version,
      ...versionOf('redis', ['redis-server', '--version'], /v=([\d.]+)/),
      ...versionOf('pgbench', ['pgbench', '--version'], /([\d.]+)/),
      ...versionOf('redis-benchmark', ['redis-benchmark', '--version'], /([\d.]+)/),
      ...versionOf('wrk', ['wrk', '--version'], /wrk (\S+)/),
    },
  }
}

function systemName(): string {
  try {
    const release = readFileSync('/etc/os-release', 'utf8')
    return /^PRETTY_NAME="?([^"\n]+)/m.exec(release)?.[1] ?? process.platform
  } catch {
    return process.platform
  }
}

/**
 * The name of a path's file system. The report shows it, because a commit to memory costs nothing.
 */
function fileSystem(path: string): string {
  const known: Readonly<Record<number, string>> = {
    61267: 'ext4',
    1481003842: 'xfs',
    2435016766: 'btrfs',
    16914836: 'tmpfs (in memory)',
    2035054128: 'overlayfs',
  }
  const { type } = statfsSync(path)
  return known[type] ?? `type 0x${type.toString(16)}`
}

function outputOf(words: readonly string[]): string {
  const [program = ''] = words
  if (Bun.which(program) === null) return ''
  const { stdout, stderr } = Bun.spawnSync([...words], { cwd: import.meta.dir })
  return (String(stdout) + String(stderr)).trim()
}

function versionOf(name: string, words: readonly string[], pattern: RegExp) {
  const version = pattern.exec(outputOf(words))?.[1]
  return version === undefined ? {} : { [name]: version }
}

function revision(): string {
  const commit = outputOf(['git', 'rev-parse', '--short=10', 'HEAD'])
  const isChanged = outputOf([
    'git',
    'status',
    '--porcelain',
    '--',
    '../src',
    '../adapters',
    '../drizzle',
  ])
  return `${commit || 'unknown'}${isChanged === '' ? '' : ', changed'}`
}
