#!/usr/bin/env -S bun --no-env-file
/** The command line: reads the verb and hands on; signals in, exit code out. */
import { distance } from 'fastest-levenshtein'
import packageJson from '../package.json' with { type: 'json' }
import { configCommand } from './commands/config.ts'
import { migrate } from './commands/migrate.ts'
import { serve } from './commands/serve.ts'
import { ConfigError, type LoadedConfig, loadConfig, readEnvironment } from './config.ts'
import { StartRefusal } from './ports/database.ts'

/** Each answers what to print, if anything. */
const verbs: Readonly<Record<string, (loaded: LoadedConfig) => Promise<string> | string>> = {
  serve: async ({ config }) => {
    await serve(config, stopSignal())
    return ''
  },
  migrate: ({ config }) => migrate(config),
  config: (loaded) => configCommand(loaded),
}

const help = `Turnlog ${packageJson.version}: the durable turn log for voice and chat agents.

Usage: turnlog <verb> [--<setting> <value> ...]

  serve     run the service
  migrate   bring the tables up to date
  config    show every setting, its value and where it came from

  --config <file>   read this file instead of turnlog.toml
  --host, --port    where to listen; every setting is a flag: --database.url, ...
  --help, --version
`

const exit = { fine: 0, refused: 1, misused: 2 } as const

async function main(argv: readonly string[]): Promise<number> {
  if (argv.includes('--help') || argv.includes('-h')) return say(help)
  if (argv.includes('--version')) return say(`${packageJson.version}\n`)
  const loaded = loadConfig({ argv, ...readEnvironment() })
  const [name, ...more] = loaded.rest
  if (name === undefined) return complain(help)
  const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined
  if (verb === undefined)
    return complain(`There is no verb ${JSON.stringify(name)}; did you mean ${nearest(name)}?\n`)
  if (more.length > 0)
    return complain(`${name} takes settings as flags, and no ${JSON.stringify(more[0])}.\n`)
  return say(await verb(loaded))
}

const nearest = (name: string): string =>
  Object.keys(verbs).reduce((best, verb) =>
    distance(name, verb) < distance(name, best) ? verb : best,
  )

function say(text: string): number {
  process.stdout.write(text)
  return exit.fine
}

function complain(text: string): number {
  process.stderr.write(text)
  return exit.misused
}

/** Aborts at the first signal; the second ends the process at once. */
function stopSignal(): AbortSignal {
  const stop = new AbortController()
  const codes = { SIGINT: 130, SIGTERM: 143 } as const
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(codes[signal])
      stop.abort(signal)
    })
  return stop.signal
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  const expected = error instanceof ConfigError || error instanceof StartRefusal
  const text = error instanceof Error && !expected ? error.stack : String(error)
  process.stderr.write(`${expected ? error.message : text}\n`)
  process.exitCode = error instanceof ConfigError ? exit.misused : exit.refused
}
// What a library left open must not keep a stopped service alive.
process.exit()
