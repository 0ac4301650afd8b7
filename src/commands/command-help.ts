/** The help of the command line: of all commands together, and of each one. */
import { styleText } from 'node:util'
import packageJson from '../../package.json' with { type: 'json' }
import { formatNames } from '../transfer/formats/formats.ts'

/** A flag, an example or an exit code, with its meaning. */
type Row = readonly [name: string, meaning: string]

export type CommandHelp = {
  readonly usage: string
  /** The work of the command, for the list of commands: at most 80 characters. */
  readonly purpose: string
  readonly flags: readonly Row[]
  readonly examples: readonly Row[]
  readonly exitCodes: readonly Row[]
}

const settingFlags: readonly Row[] = [
  ['--config <file>', 'read settings from this file instead of turnlog.toml'],
  ['--<setting> <value>', 'any setting, such as --database.url: `turnlog config` lists them'],
]

const serviceFlags: readonly Row[] = [
  ['--url <url>', 'the service; default: TURNLOG_URL, else the port in the settings of this'],
  ['', 'directory (server.port), else http://localhost:3000'],
  ['--patience <s>', 'seconds to retry while the service cannot be reached; default: 60'],
]

const misused: Row = ['2', 'the settings or the command line are wrong']

export const commandHelps = {
  serve: {
    usage: 'turnlog serve [--<setting> <value> ...]',
    purpose: 'run the service',
    flags: [
      ['--host, --port', 'address to listen on; default: 127.0.0.1, 3000'],
      ['--database.url', 'Postgres server; default: an embedded Postgres in ./.turnlog'],
      ['--cache.url', 'Redis; default: the memory of the process'],
      ...settingFlags,
    ],
    examples: [
      ['turnlog serve', 'on port 3000, with an embedded Postgres'],
      ['DATABASE_URL=postgres://… turnlog serve --port 8080', 'with a Postgres server'],
    ],
    exitCodes: [
      ['0', 'a signal stopped the service'],
      ['1', 'the start was refused, or an uncaught exception stopped the service'],
      misused,
    ],
  },
  migrate: {
    usage: 'turnlog migrate [--<setting> <value> ...]',
    purpose: 'create the database schema or bring it up to date, without a start',
    flags: [['--database.migrateUrl', 'URL of a user who may change the schema'], ...settingFlags],
    examples: [
      ['DATABASE_URL=postgres://… turnlog migrate', 'the schema of a Postgres server'],
      ['turnlog migrate --database.dataDirectory data', 'the schema of an embedded Postgres'],
    ],
    exitCodes: [['0', 'the schema is up to date'], ['1', 'it could not be changed'], misused],
  },
  config: {
    usage: 'turnlog config [--reference | --schema]',
    purpose: 'print every setting with its value and source',
    flags: [
      ['--reference', 'print all settings as Markdown tables'],
      ['--schema', 'print a JSON Schema of turnlog.toml, for editors'],
      ...settingFlags,
    ],
    examples: [
      ['turnlog config', 'every setting, and where its value comes from'],
      ['turnlog config --schema > turnlog.schema.json', 'the schema for an editor'],
    ],
    exitCodes: [['0', 'the settings were printed'], misused],
  },
  doctor: {
    usage: 'turnlog doctor [--json]',
    purpose: 'check settings, database, Redis and service, and print how to fix problems',
    flags: [['--json', 'print the report as JSON'], ...settingFlags],
    examples: [
      ['turnlog doctor', 'the report for the settings of this directory'],
      ['turnlog doctor --json | jq .wrong', 'the number of wrong things'],
    ],
    exitCodes: [['0', 'nothing is wrong'], ['1', 'something is wrong'], misused],
  },
  cache: {
    usage: 'turnlog cache audit [--all] [--repair] [--json]',
    purpose: 'compare cached histories with the database',
    flags: [
      ['--all', 'compare every conversation; default: the 1000 that were active last'],
      ['--repair', 'remove entries that differ'],
      ['--json', 'print the differences as JSON'],
      ...settingFlags,
    ],
    examples: [
      ['turnlog cache audit', 'compare the conversations that were active last'],
      ['turnlog cache audit --all --repair', 'compare and repair every one'],
    ],
    exitCodes: [
      ['0', 'no difference remains'],
      ['1', 'a difference remains, or database or Redis cannot be reached'],
      misused,
    ],
  },
  healthcheck: {
    usage: 'turnlog healthcheck',
    purpose: 'check that the service runs on this machine',
    flags: settingFlags,
    examples: [
      ['turnlog healthcheck', 'of the service on the port in the settings'],
      ['PORT=8080 turnlog healthcheck', 'of the service on port 8080'],
    ],
    exitCodes: [['0', 'the service answers'], ['1', 'it does not'], misused],
  },
  import: {
    usage: 'turnlog import <file> ...   (- reads standard input)',
    purpose: 'import conversations from files',
    flags: [
      ['--format <name>', 'default: the format of the first document, one of'],
      ['', `${formatNames.slice(0, 6).join(', ')},`],
      ['', formatNames.slice(6).join(', ')],
      ['--split sentences', 'make each sentence of an answer a part'],
      ['--source <name>', 'name to derive conversation ids from; default: the path of the file'],
      ['--concurrency <n>', 'conversations imported at once; default: 8'],
      ['--line-bytes <n>', 'longest allowed document in bytes; default: 16777216'],
      ['--replace-invalid', 'store U+FFFD for NUL and lone surrogates; default: refuse the'],
      ['', 'conversation'],
      ['--large <what>', 'metadata that is too large: refuse it, or omit its largest values;'],
      ['', 'default: refuse'],
      ['--allow-gaps', 'import the turns after a missing turn of an export'],
      ...serviceFlags,
    ],
    examples: [
      ['turnlog import chats.jsonl --split sentences', 'into the service of this machine'],
      ['gunzip -c chats.jsonl.gz | turnlog import - --source chats.jsonl', 'a stream'],
    ],
    exitCodes: [
      ['0', 'everything was imported'],
      ['1', 'something was not imported, or the service cannot be reached'],
      misused,
    ],
  },
  export: {
    usage: 'turnlog export [<conversation id> ...] [--all]',
    purpose: 'export conversations as JSON Lines',
    flags: [
      ['--all', 'export every conversation'],
      ['--output <file>', 'file to write, named <file>.partial until it is complete;'],
      ['', 'default: standard output'],
      ...serviceFlags,
    ],
    examples: [
      ['turnlog export --all --output everything.jsonl', 'every conversation, into a file'],
      ['turnlog export 0192f0c1-7c00-7000-8000-000000000001 | less', 'one, to look at it'],
    ],
    exitCodes: [
      ['0', 'the export is complete'],
      ['1', 'a conversation is missing, or the service cannot be reached'],
      misused,
    ],
  },
} satisfies Record<string, CommandHelp>

type Painter = (style: 'bold' | 'cyan', text: string) => string

const painterOf =
  (hasColor: boolean): Painter =>
  (style, text) =>
    hasColor ? styleText(style, text, { validateStream: false }) : text

/** Returns the help of one command: usage, flags, examples and exit codes. */
export function helpOf(
  { usage, purpose, flags, examples, exitCodes }: CommandHelp,
  hasColor = false,
) {
  const paint = painterOf(hasColor)
  const sections: readonly (readonly [string, readonly Row[]])[] = [
    ['Flags', [...flags, ['--help', 'print this help']]],
    ['Examples', examples],
    ['Exit codes', exitCodes],
  ]
  const [first = '', ...rest] = purpose
  const lines = sections.flatMap(([title, rows]) => [
    '',
    paint('bold', title),
    ...(title === 'Examples' ? exampleLines(rows, paint) : rowLines(rows, paint)),
  ])
  const head = [
    `${paint('bold', 'Usage:')} ${usage}`,
    '',
    `${first.toUpperCase()}${rest.join('')}.`,
  ]
  return `${[...head, ...lines].join('\n')}\n`
}

/** Returns the list of all commands. */
export function overview(hasColor = false): string {
  const paint = painterOf(hasColor)
  const commands = Object.values(commandHelps).map(
    ({ usage, purpose }): Row => [nameIn(usage), purpose],
  )
  const lines = [
    `Turnlog ${packageJson.version}: the durable turn log for voice and chat agents.`,
    '',
    `${paint('bold', 'Usage:')} turnlog <command> [--<setting> <value> ...]`,
    '',
    ...rowLines(commands, paint),
    '',
    ...rowLines(
      [
        ['turnlog <command> --help', 'the flags, examples and exit codes of a command'],
        ['--config <file>', 'read settings from this file instead of turnlog.toml'],
        ['--host, --port', 'address to listen on; every setting is a flag: --database.url, ...'],
        ['--help, --version', 'print this help, or the version'],
      ],
      paint,
    ),
  ]
  return `${lines.join('\n')}\n`
}

/** The command with its second word, if it has one: `cache audit`. */
const nameIn = (usage: string): string => /^turnlog ([a-z]+(?: [a-z]+)?)/.exec(usage)?.[1] ?? usage

function rowLines(rows: readonly Row[], paint: Painter): string[] {
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, meaning]) => `  ${paint('cyan', name.padEnd(width))}  ${meaning}`)
}

/** An example has its meaning on the line above it, so that its line can be copied. */
const exampleLines = (rows: readonly Row[], paint: Painter): string[] =>
  rows.flatMap(([command, meaning]) => [`  # ${meaning}`, `  ${paint('cyan', command)}`])
