/** A real browser without a window, which shows one page. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { provide } from './apt.ts'
import { startProgram } from './processes.ts'

/**
 * Programs that can be the browser. The first is the smallest, starts twice as fast, and is the one
 * that is installed.
 */
const names = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome']

let lookup: { program?: string; missing?: string } | undefined

const find = (): string | undefined => names.find((name) => Bun.which(name) !== null)

/**
 * The reason why no browser is available. `undefined` if there is one, or one could be installed.
 */
export function browserMissing(): string | undefined {
  if (lookup === undefined) {
    const smallest = names.slice(0, 1)
    const missing = find() === undefined ? provide(smallest, smallest) : undefined
    lookup = missing === undefined ? { program: find() ?? '' } : { missing }
  }
  return lookup.missing
}

export type Page = AsyncDisposable & {
  /** Lines that the page has written to its console. */
  readonly lines: readonly string[]
}

/** Opens a page. `addresses` are host names and the address that each has in this browser. */
export function openPage(url: string, addresses: Readonly<Record<string, string>> = {}): Page {
  const profile = mkdtempSync(join(tmpdir(), 'turnlog-browser-'))
  const rules = Object.entries(addresses).map(([name, address]) => `MAP ${name} ${address}`)
  const flags = [
    '--headless',
    // A browser run by root has no sandbox, and a container has little shared memory.
    '--no-sandbox',
    '--disable-dev-shm-usage',
    '--disable-gpu',
    '--no-proxy-server',
    '--enable-logging=stderr',
    `--user-data-dir=${profile}`,
    `--host-resolver-rules=${rules.join(', ')}`,
  ]
  const browser = startProgram(
    [lookup?.program ?? 'chromium', ...flags, url],
    (raw) => /:INFO:CONSOLE.*?\] "(.*)", source:/.exec(raw)?.[1],
  )
  return {
    lines: browser.lines,
    async [Symbol.asyncDispose]() {
      await browser[Symbol.asyncDispose]()
      // The other processes of the browser may still be writing.
      rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
    },
  }
}
