/** Finds the Bun that package.json names, installs dependencies with it, and runs programs on it. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const version = packageManager.split('@')[1]

/** Milliseconds between two looks at whether npm, the parent, died without a signal. */
const parentCheckMs = 500

/** Ctrl-C arrives twice, from the terminal and from npm: signals this close together are one. */
const sameSignalMs = 300

/** The path of Bun: the one on the PATH if it has the right version, else one that npm installs. */
export function findBun() {
  const print = ['-p', 'process.versions.bun + " " + process.execPath']
  const installed = spawnSync('bun', print, { encoding: 'utf8' }).stdout?.trim() ?? ''
  if (installed.startsWith(`${version} `)) return installed.slice(version.length + 1)
  const words = ['exec', '--yes', '--loglevel=error', `--package=bun@${version}`, '--', 'bun']
  const npm = process.env.npm_execpath
  const [command, first] = npm === undefined ? ['npm', []] : [process.execPath, [npm]]
  const args = [...first, ...words, ...print]
  const { stdout, stderr, status } = spawnSync(command, args, { cwd: root, encoding: 'utf8' })
  const found = stdout?.trim() ?? ''
  if (status !== 0 || !found.startsWith(`${version} `))
    fail(`npm could not install Bun ${version}:`, stderr)
  return found.slice(version.length + 1)
}

/** Installs what the service needs to run, unless `onlyIfMissing` and something is installed. */
export function install(bun, { onlyIfMissing = false } = {}) {
  if (onlyIfMissing && existsSync(join(root, 'node_modules/elysia'))) return
  const words = ['install', '--production', '--frozen-lockfile']
  const { stdout, stderr, status } = spawnSync(bun, words, { cwd: root, encoding: 'utf8' })
  if (status !== 0) fail('Bun could not install the dependencies:', `${stdout}${stderr}`)
}

/** Runs Turnlog in the directory where the user called npm, so paths mean the same as there. */
export const runTurnlog = (bun, words) => runBun(bun, 'src/main.ts', words)

/**
 * Runs a program of this checkout and ends with its exit code. Signals are forwarded, and the program
 * stops if this process loses its parent. The program has a process group of its own, so Ctrl-C
 * reaches it once, through here: Turnlog takes a second signal as "stop at once".
 */
export function runBun(bun, file, words) {
  const parent = process.ppid
  const args = ['--no-env-file', join(root, file), ...words]
  const cwd = process.env.INIT_CWD ?? process.cwd()
  const program = spawn(bun, args, { stdio: 'inherit', detached: true, cwd })
  let forwardedAt = Number.NEGATIVE_INFINITY
  const forward = (signal) => {
    if (performance.now() - forwardedAt < sameSignalMs) return
    forwardedAt = performance.now()
    program.kill(signal)
  }
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'])
    if (signal !== 'SIGHUP' || !isHangupIgnored()) process.on(signal, () => forward(signal))
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    forward('SIGTERM')
  }, parentCheckMs)
  program.on('error', (error) => fail('Bun could not be started:', error.message))
  program.on('exit', (code) => process.exit(code ?? 1))
}

/** Whether `nohup` started npm: then the program outlives its terminal. */
function isHangupIgnored() {
  try {
    const status = readFileSync('/proc/self/status', 'utf8')
    const [, mask = '0'] = /^SigIgn:\s*([\da-f]+)/m.exec(status) ?? []
    return (BigInt(`0x${mask}`) & 1n) === 1n
  } catch {
    return false
  }
}

function fail(message, output) {
  process.stderr.write(`${message}\n${output ?? ''}\n`)
  process.exit(1)
}
