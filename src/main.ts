#!/usr/bin/env -S bun --no-env-file
/** The command line: reads the verb and hands on; signals in, exit code out. */
import { distance } from 'fastest-levenshtein'
import packageJson from '../package.json' with { type: 'json' }
import { cacheAudit } from './commands/cache-audit.ts'
import { configCommand } from './commands/config.ts'
import { configReference } from './commands/config-reference.ts'
import { configSchema } from './commands/config-schema.ts'
import { doctor } from './commands/doctor.ts'
import { exportCommand } from './commands/export.ts'
import { healthcheck } from './commands/healthcheck.ts'
import { importCommand } from './commands/import.ts'
import { migrate } from './commands/migrate.ts'
import { serve } from './commands/serve.ts'
import { stopSignal } from './commands/stop-signal.ts'
import { ConfigError, type ExaminedConfig, examineConfig, readEnvironment } from './config.ts'
import { DatabaseError, StartRefusal } from './ports/database.ts'
import { KvError } from './ports/kv.ts'
import { Problem } from './problem.ts'

/** What to print, and the exit code where that is not 0. */
type Outcome = string | { readonly text: string; readonly code: number }

type Verb = {
  /** Flags of the verb alone; every other flag is a setting. */
  readonly switches?: readonly string[]
  /** The word that must follow it. */
  readonly word?: string
  /** Whether it runs on a configuration that has problems, and tells of them itself. */
  readonly examines?: true
  run(examined: ExaminedConfig, given: ReadonlySet<string>): Promise<Outcome> | Outcome
}

const verbs: Readonly<Record<string, Verb>> = {
  serve: {
    run: async ({ config }) => ({ text: '', code: await serve(config, stopSignal()) }),
  },
  migrate: { run: ({ config }) => migrate(config) },
  config: {
    switches: ['--reference', '--schema'],
    examines: true,
    run(examined, given) {
      if (given.has('--reference')) return configReference()
      if (given.has('--schema')) return configSchema()
      if (examined.error !== undefined) throw examined.error
      return configCommand(examined)
    },
  },
  doctor: {
    switches: ['--json'],
    examines: true,
    run: (examined, given) => doctor(examined, { json: given.has('--json') }),
  },
  cache: {
    word: 'audit',
    switches: ['--all', '--repair', '--json'],
    run: ({ config }, given) =>
      cacheAudit(config, {
        all: given.has('--all'),
        repair: given.has('--repair'),
        json: given.has('--json'),
      }),
  },
  healthcheck: { run: ({ config }) => healthcheck(config) },
}

/** These talk to a service and have flags of their own: the words after the verb -> an exit code. */
const transfers: Readonly<Record<string, (words: readonly string[]) => Promise<number>>> = {
  import: importCommand,
  export: exportCommand,
}

const help = `Turnlog ${packageJson.version}: the durable turn log for voice and chat agents.

Usage: turnlog <verb> [--<setting> <value> ...]

  serve     run the service
  migrate   bring the tables up to date
  config    show every setting, its value and where it came from
              --reference: all there is to set, as Markdown
              --schema: a JSON Schema of turnlog.toml, for editors
  doctor    say what is reachable and what is wrong, and what to do about it
              --json: the same for programs
  cache audit
            hold what is cached against the database: the last active, by version and content
              --all: every conversation   --repair: take away what differs   --json
  healthcheck
            ask the service on this machine whether it lives
  import    bring conversations in from files: turnlog import --help
  export    write conversations out as JSON Lines: turnlog export --help

  --config <file>   read this file instead of turnlog.toml
  --host, --port    where to listen; every setting is a flag: --database.url, ...
  --help, --version
`

const exit = { fine: 0, refused: 1, misused: 2 } as const

async function main(argv: readonly string[]): Promise<number> {
  const [first = '', ...words] = argv
  const transfer = Object.hasOwn(transfers, first) ? transfers[first] : undefined
  if (transfer !== undefined) return transfer(words)
  if (argv.includes('--help') || argv.includes('-h')) return say(help)
  if (argv.includes('--version')) return say(`${packageJson.version}\n`)
  const given = ownSwitches(argv)
  const settings = argv.filter((word) => !given.has(word))
  const examined = examineConfig({ argv: settings, ...readEnvironment() })
  const [name, ...more] = examined.rest
  const verb = verbOf(name)
  if (examined.error !== undefined && !verb?.examines) throw examined.error
  if (name === undefined) return complain(help)
  if (verb === undefined)
    return complain(`There is no verb ${JSON.stringify(name)}; did you mean ${nearest(name)}?\n`)
  if (verb.word !== undefined && more.shift() !== verb.word)
    return complain(`${name} is followed by a word: turnlog ${name} ${verb.word}.\n`)
  if (more.length > 0)
    return complain(`${name} takes settings as flags, and no ${JSON.stringify(more[0])}.\n`)
  const outcome = await verb.run(examined, given)
  return typeof outcome === 'string' ? say(outcome) : say(outcome.text, outcome.code)
}

const verbOf = (word: string | undefined): Verb | undefined =>
  word !== undefined && Object.hasOwn(verbs, word) ? verbs[word] : undefined

/** The flags given that are the verb's own: no setting has such a name. */
function ownSwitches(argv: readonly string[]): ReadonlySet<string> {
  const switches = verbOf(argv.find((word) => verbOf(word) !== undefined))?.switches ?? []
  return new Set(argv.filter((word) => switches.includes(word)))
}

const nearest = (name: string): string =>
  [...Object.keys(verbs), ...Object.keys(transfers)].reduce((best, verb) =>
    distance(name, verb) < distance(name, best) ? verb : best,
  )

function say(text: string, code: number = exit.fine): number {
  process.stdout.write(text)
  return code
}

function complain(text: string): number {
  process.stderr.write(text)
  return exit.misused
}

/** One sentence of what is the operator's to mend; else everything, for it is a fault of ours. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const expected = [ConfigError, StartRefusal, DatabaseError, KvError, Problem]
  if (!expected.some((kind) => error instanceof kind)) return error.stack ?? String(error)
  const { message, cause } = error
  return cause instanceof Error ? `${message}: ${cause.message}` : message
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`${textOf(error)}\n`)
  process.exitCode = error instanceof ConfigError ? exit.misused : exit.refused
}
// What a library left open must not keep a stopped service alive.
process.exit()
