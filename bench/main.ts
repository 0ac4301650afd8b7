/**
 * `bun run bench`: starts the servers it needs, prints Turnlog's figures against a baseline, and
 * stores them.
 */
import { parseArgs } from 'node:util'
import { stopTestPostgres, testDatabaseUrl } from '../test/support/servers/postgres.ts'
import { stopTestRedis } from '../test/support/servers/redis.ts'
import { benches } from './benches.ts'
import { postgresFacts } from './load/postgres-server.ts'
import { runs, runsEnough, seconds } from './load/scene.ts'
import { openLedger } from './report/ledger.ts'
import { machineFacts } from './report/machine.ts'
import { storedReport, writeReport } from './report/report-files.ts'
import { resultsFolder, shortFolder, writeResults } from './report/results.ts'
import { type BenchName, benchNames } from './report/rows.ts'
import { tableOf } from './report/table.ts'

const help = `Usage: bun run bench [<name> ...] [--out <folder>]
       bun run bench report [--from <folder>] [--out <folder>]

Measures Turnlog ("ours") and a baseline alternately. Prints name, unit, ours, baseline, ratio, spread and aim, and
writes the figure of every run as JSON. Without a name, all benches run:

${benchNames.map((name) => `  ${name.padEnd(10)} ${benches[name].about}`).join('\n')}

  report     writes docs/BENCHMARKS.md and its charts from the stored figures and bench/notes.md

  --out <folder>     where figures go (default: bench/results, or bench/.short for fewer than ${runsEnough} runs),
                     or where the report goes (default: docs)
  --from <folder>    where the report reads its figures (default: bench/results)

  BENCH_RUNS=5       number of runs of each side; their median counts
  BENCH_SECONDS=3    seconds that a run measures
  BENCH_REFERENCE    path of the reference's program, baseline.py; if it is not set, that bench is skipped
  BENCH_PYTHON       Python that runs it, with the packages asyncpg, sqlalchemy and redis
`

const isBench = (name: string): name is BenchName => Object.hasOwn(benches, name)

const print = (line: string) => void process.stderr.write(`${line}\n`)

async function main(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h' },
      out: { type: 'string' },
      from: { type: 'string' },
    },
  })
  if (values.help) {
    process.stdout.write(help)
    return 0
  }
  if (positionals.join(' ') === 'report') {
    print(`Written: ${writeReport(storedReport(values.from), values.out)}`)
    return 0
  }
  const wrong = positionals.filter((name) => !isBench(name))
  if (wrong.length > 0) {
    print(`There is no bench ${wrong.join(', ')}. Use ${benchNames.join(', ')}, or report alone.`)
    return 2
  }
  const names = positionals.length > 0 ? positionals.filter(isBench) : benchNames
  const folder = values.out ?? (runs < runsEnough ? shortFolder : resultsFolder)
  const failed: string[] = []
  for (const name of names) {
    try {
      await run(name, folder)
    } catch (thrown) {
      // The other benches still run: none needs the figures of another.
      print(
        `${name} failed: ${(thrown instanceof Error ? thrown.stack : undefined) ?? String(thrown)}`,
      )
      failed.push(name)
    }
  }
  await stopTestRedis()
  await stopTestPostgres()
  return failed.length > 0 ? 1 : 0
}

async function run(name: BenchName, folder: string): Promise<void> {
  const machine = machineFacts(await postgresFacts(await testDatabaseUrl()))
  const bench = await benches[name].load()
  const ledger = openLedger(print)
  await bench(ledger)
  const { comparisons, skipped, commands } = ledger
  process.stdout.write(`${tableOf(comparisons)}\n`)
  const file = writeResults(folder, {
    bench: name,
    date: new Date().toISOString(),
    runs,
    secondsPerRun: seconds,
    machine,
    commands: [`bun run bench ${name}`, ...commands],
    comparisons,
    skipped,
  })
  print(`Figures written to ${file}`)
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (thrown) {
  print(thrown instanceof Error ? thrown.message : String(thrown))
  process.exitCode = 2
}
