/**
 * Every test, in two processes side by side: most of them wait for servers. Prints what they write,
 * then the counts of both. `test/timings.json` balances them; `--update-timings` writes it anew.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const shards = 2
const folder = import.meta.dir
const timings = join(folder, 'timings.json')
const isUpdate = process.argv.includes('--update-timings')
// Two processes that write one file would each lose what the other found.
const measured = mkdtempSync(join(tmpdir(), 'turnlog-timings-'))
const measuredBy = (n: number) => join(measured, `${n}.json`)

const wordsOf = (n: number) => [
  'test',
  `--shard=${n}/${shards}`,
  ...(isUpdate ? [`--timings=${measuredBy(n)}`] : []),
  `--timings=${timings}`,
  // Nothing waits for a time, and a busy machine is no failure.
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
  // Whoever watches sees that something goes on, and what fails as it does.
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
const sum = (what: string) =>
  results.reduce((total, { text }) => {
    const counts = [...text.matchAll(new RegExp(`^ *(\\d+) ${what}$`, 'gm'))]
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
