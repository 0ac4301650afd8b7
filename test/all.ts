/**
 * Runs every test in two parallel processes, because most tests wait for servers. Prints the output
 * of both, then their counts together. `test/timings.json` balances the two; `--update-timings`
 * writes it again.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const shards = 2
const folder = import.meta.dir
const timings = join(folder, 'timings.json')
const isUpdate = process.argv.includes('--update-timings')
// Each process writes a file of its own: two that write the same file would lose each other's
// times.
const measured = mkdtempSync(join(tmpdir(), 'turnlog-timings-'))
const measuredBy = (n: number) => join(measured, `${n}.json`)

const wordsOf = (n: number) => [
  'test',
  `--shard=${n}/${shards}`,
  ...(isUpdate ? [`--timings=${measuredBy(n)}`] : []),
  `--timings=${timings}`,
  // Tests wait for conditions, not for times, so a slow machine must not fail them.
  '--timeout=30000',
  ...process.argv.slice(2),
]

async function shard(n: number): Promise<{ code: number; text: string }> {
  const child = Bun.spawn([process.execPath, ...wordsOf(n)], {
    cwd: join(folder, '..'),
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  // Output is printed as it arrives, so that progress and failures show at once.
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder()
    let text = ''
    for await (const chunk of stream) {
      const piece = decoder.decode(chunk, { stream: true })
      text += piece
      process.stdout.write(piece)
    }
    return text
  }
  const [out, err, code] = await Promise.all([read(child.stdout), read(child.stderr), child.exited])
  return { code, text: out + err }
}

const results = await Promise.all(Array.from({ length: shards }, (_, index) => shard(index + 1)))
const sum = (outcome: string) =>
  results.reduce((total, { text }) => {
    const counts = [...text.matchAll(new RegExp(`^ *(\\d+) ${outcome}$`, 'gm'))]
    return total + Number(counts.at(-1)?.[1] ?? 0)
  }, 0)

if (isUpdate) {
  type Timings = { version: number; files: Record<string, number> }
  const shardTimings = results.map(
    (_, index) => JSON.parse(readFileSync(measuredBy(index + 1), 'utf8')) as Timings,
  )
  const files = Object.assign({}, ...shardTimings.map((each) => each.files))
  writeFileSync(timings, `${JSON.stringify({ version: 1, files }, null, 2)}\n`)
}
rmSync(measured, { recursive: true, force: true })

process.stdout.write(
  `\nAll together:\n ${sum('pass')} pass\n ${sum('skip')} skip\n ${sum('fail')} fail\n`,
)
process.exitCode = results.find(({ code }) => code !== 0)?.code ?? 0
