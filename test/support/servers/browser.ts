/** A real browser without a window, which shows one page. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { provide } from './apt.ts'
import { startProgram } from './processes.ts'

/** Names of browsers. The first is the smallest and starts twice as fast; it gets installed. */
const names = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome']

let found: { program?: string; missing?: string } | undefined

const find = (): string | undefined => names.find((name) => Bun.which(name) !== null)

/** Why no browser is available for tests; undefined if one is, or could be installed. */
export function browserMissing(): string | undefined {
  if (found === undefined) {
    const smallest = names.slice(0, 1)
    const missing = find() === undefined ? provide(smallest, smallest) : undefined
    found = missing === undefined ? { program: find() ?? '' } : { missing }
  }
  return found.missing
}

export type Page = AsyncDisposable & {
  /** The lines that the page has written to its console. */
  readonly lines: readonly string[]
}

/** Opens a page. `addresses` maps host names to the addresses that this browser uses for them. */
export function openPage(url: string, addresses: Readonly<Record<string, string>> = {}): Page {
  const profile = mkdtempSync(join(tmpdir(), 'turnlog-browser-'))
  const rules = Object.entries(addresses).map(([name, address]) => `MAP ${name} ${address}`)
  const flags = [
    '--headless',
    // Chromium has no sandbox as root, and a container has little shared memory.
    '--no-sandbox',
    '--disable-dev-shm-usage',
    '--disable-gpu',
    '--no-proxy-server',
    '--enable-logging=stderr',
    `--user-data-dir=${profile}`,
    `--host-resolver-rules=${rules.join(', ')}`,
  ]
  const browser = startProgram(
    [found?.program ?? 'chromium', ...flags, url],
    (raw) => /:INFO:CONSOLE.*?\] "(.*)", source:/.exec(raw)?.[1],
  )
  return {
    lines: browser.lines,
    async [Symbol.asyncDispose]() {
      await browser[Symbol.asyncDispose]()
      // Other processes of the browser may still write to the directory.
      rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
    },
  }
}
