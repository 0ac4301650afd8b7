/** `bun run bench`: brings up what it needs, prints ours beside a baseline as ratios, and keeps the figures. */
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

Measures ours and a baseline in turn, in one run, prints name, unit, ours, baseline, ratio, spread and aim, and keeps
every run's figure as JSON. Without names, everything:

${benchNames.map((name) => `  ${name.padEnd(10)} ${benches[name].about}`).join('\n')}

  report     writes docs/BENCHMARKS.md and its charts of the figures that are kept and of bench/notes.md

  --out <folder>     for the figures: instead of bench/results, or of bench/.short for fewer than ${runsEnough} runs;
                     for the report: instead of docs
  --from <folder>    the report's figures, instead of bench/results

  BENCH_RUNS=5       runs of each side, whose median counts
  BENCH_SECONDS=3    how long a run measures
  BENCH_REFERENCE    the reference's program, baseline.py; without it that bench is skipped
  BENCH_PYTHON       what runs it, with asyncpg, sqlalchemy and redis
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
    print(`There is no bench ${wrong.join(', ')}: ${benchNames.join(', ')}, or report alone.`)
    return 2
  }
  const names = positionals.length > 0 ? positionals.filter(isBench) : benchNames
  const folder = values.out ?? (runs < runsEnough ? shortFolder : resultsFolder)
  const failed: string[] = []
  for (const name of names) {
    try {
      await run(name, folder)
    } catch (thrown) {
      // What comes after it needs nothing of it.
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
  print(`Kept in ${file}`)
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (thrown) {
  print(thrown instanceof Error ? thrown.message : String(thrown))
  process.exitCode = 2
}
