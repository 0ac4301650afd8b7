#!/usr/bin/env -S bun --no-env-file
/** The command line: runs the command that it names, and ends with an exit code. */
import { distance } from 'fastest-levenshtein'
import packageJson from '../package.json' with { type: 'json' }
import { cacheAudit } from './commands/cache-audit.ts'
import { commandHelps, helpOf, overview } from './commands/command-help.ts'
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
import {
  ConfigError,
  type ExaminedConfig,
  examineConfig,
  mayColor,
  readEnvironment,
} from './config.ts'
import { thrownText } from './mechanics/thrown-text.ts'
import { DatabaseError, StartRefusal } from './ports/database.ts'
import { KvError } from './ports/kv.ts'
import { Problem } from './problem.ts'

/** A text to print, with an exit code if that is not 0. */
type Outcome = string | { readonly text: string; readonly code: number }

type Command = {
  /** The flags that only this command has. Every other flag is a setting. */
  readonly switches?: readonly string[]
  /** The word that must follow the command. */
  readonly word?: string
  /** Whether the command runs on a configuration with problems, and reports them itself. */
  readonly examines?: true
  run(examined: ExaminedConfig, switches: ReadonlySet<string>): Promise<Outcome> | Outcome
}

const commands: Readonly<Record<string, Command>> = {
  serve: {
    run: async (examined) => ({ text: '', code: await serve(examined, stopSignal()) }),
  },
  migrate: { run: migrate },
  config: {
    switches: ['--reference', '--schema'],
    examines: true,
    run(examined, switches) {
      if (switches.has('--reference')) return configReference()
      if (switches.has('--schema')) return configSchema()
      if (examined.error !== undefined) throw examined.error
      return configCommand(examined)
    },
  },
  doctor: {
    switches: ['--json'],
    examines: true,
    run: (examined, switches) => doctor(examined, { json: switches.has('--json') }),
  },
  cache: {
    word: 'audit',
    switches: ['--all', '--repair', '--json'],
    run: ({ config }, switches) =>
      cacheAudit(config, {
        all: switches.has('--all'),
        repair: switches.has('--repair'),
        json: switches.has('--json'),
      }),
  },
  healthcheck: { run: ({ config }) => healthcheck(config) },
}

/**
 * The commands that use a running service. They read their own flags and resolve with an exit code.
 */
const transfers: Readonly<Record<string, (words: readonly string[]) => Promise<number>>> = {
  import: importCommand,
  export: exportCommand,
}

const exit = { fine: 0, refused: 1, misused: 2 } as const

async function main(argv: readonly string[]): Promise<number> {
  const [first = '', ...words] = argv
  const transfer = Object.hasOwn(transfers, first) ? transfers[first] : undefined
  if (transfer !== undefined) return transfer(words)
  if (argv.includes('--help') || argv.includes('-h')) {
    const [, help] = Object.entries(commandHelps).find(([command]) => argv.includes(command)) ?? []
    const hasColor = mayColor(process.stdout)
    return say(help === undefined ? overview(hasColor) : helpOf(help, hasColor))
  }
  if (argv.includes('--version')) return say(`${packageJson.version}\n`)
  const switches = ownSwitches(argv)
  const settings = argv.filter((word) => !switches.has(word))
  const examined = examineConfig({ argv: settings, ...readEnvironment() })
  const [name, ...more] = examined.rest
  const command = commandOf(name)
  if (examined.error !== undefined && !command?.examines) throw examined.error
  if (name === undefined) return complain(overview(mayColor(process.stderr)))
  if (command === undefined)
    return complain(`There is no command ${JSON.stringify(name)}; did you mean ${nearest(name)}?\n`)
  if (command.word !== undefined && more.shift() !== command.word)
    return complain(`${name} needs a second word: turnlog ${name} ${command.word}.\n`)
  if (more.length > 0)
    return complain(
      `${name} accepts only flags after it, not ${JSON.stringify(more[0])}: see turnlog ${name} --help.\n`,
    )
  const outcome = await command.run(examined, switches)
  return typeof outcome === 'string' ? say(outcome) : say(outcome.text, outcome.code)
}

const commandOf = (word: string | undefined): Command | undefined =>
  word !== undefined && Object.hasOwn(commands, word) ? commands[word] : undefined

/** Returns the flags on the command line that only its command has. No setting has such a name. */
function ownSwitches(argv: readonly string[]): ReadonlySet<string> {
  const switches = commandOf(argv.find((word) => commandOf(word) !== undefined))?.switches ?? []
  return new Set(argv.filter((word) => switches.includes(word)))
}

const nearest = (name: string): string =>
  [...Object.keys(commands), ...Object.keys(transfers)].reduce((best, command) =>
    distance(name, command) < distance(name, best) ? command : best,
  )

function say(text: string, code: number = exit.fine): number {
  process.stdout.write(text)
  return code
}

function complain(text: string): number {
  process.stderr.write(text)
  return exit.misused
}

/**
 * Returns one sentence for an error that the operator can fix. Any other error is a bug, so its
 * stack is printed.
 */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return thrownText(error)
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
// The process ends here, so that a handle which a library left open does not keep it alive.
process.exit()
