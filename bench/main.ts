/** `bun run bench [record|load|growth|live]`: brings up what it needs, and prints ours beside a baseline as ratios. */
import { stopTestPostgres } from '../test/support/postgres.ts'
import { printComparisons } from './comparison.ts'
import { benchGrowth } from './growth.ts'
import { benchLive } from './live.ts'
import { benchLoad } from './load.ts'
import { benchRecord } from './record.ts'

const benches = { record: benchRecord, load: benchLoad, growth: benchGrowth, live: benchLive }

const wanted = process.argv.slice(2)
const names = wanted.length > 0 ? wanted : Object.keys(benches)
for (const name of names) {
  const bench = Object.entries(benches).find(([each]) => each === name)?.[1]
  if (bench === undefined) {
    process.stderr.write(`There is no bench ${name}: ${Object.keys(benches).join(', ')}\n`)
    process.exitCode = 2
    break
  }
  process.stdout.write(`${printComparisons(await bench())}\n`)
}
await stopTestPostgres()
