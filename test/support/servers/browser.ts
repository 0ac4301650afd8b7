/** A real browser without a window, that shows one page. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { provide } from './apt.ts'
import { startProgram } from './processes.ts'

/** The first is the smallest, starts twice as fast, and is what gets installed. */
const names = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome']

let found: { program?: string; missing?: string } | undefined

const find = (): string | undefined => names.find((name) => Bun.which(name) !== null)

/** Why there is no browser to test with; `undefined` where there is one, or one could be installed. */
export function browserMissing(): string | undefined {
  if (found === undefined) {
    const smallest = names.slice(0, 1)
    const missing = find() === undefined ? provide(smallest, smallest) : undefined
    found = missing === undefined ? { program: find() ?? '' } : { missing }
  }
  return found.missing
}

export type Page = AsyncDisposable & {
  /** What the page has written to its console. */
  readonly lines: readonly string[]
}

/** `addresses`: names, and the address that each has for this browser. */
export function openPage(url: string, addresses: Readonly<Record<string, string>> = {}): Page {
  const profile = mkdtempSync(join(tmpdir(), 'turnlog-browser-'))
  const rules = Object.entries(addresses).map(([name, address]) => `MAP ${name} ${address}`)
  const flags = [
    '--headless',
    // Root has no sandbox, and a container little shared memory.
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
      // Its other processes may still write a last time.
      rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
    },
  }
}
