/**
 * An agent that runs as its own process. It records turns over the socket with a journal in a file,
 * prints a line for each recorded turn, and ends after the last one. A test kills it before that.
 */
import { writeSync } from 'node:fs'
import { createClient } from '../../src/client/client.ts'
import { openFileJournal } from '../../src/client/journal/file-journal.ts'

const [url = '', path = '', conversations = '', from = '0', count = '0'] = process.argv.slice(2)
const ids = conversations.split(',')
const say = (line: object) => writeSync(1, `${JSON.stringify(line)}\n`)

const client = createClient({
  url,
  journal: await openFileJournal(path),
  backoff: { firstMs: 20, maxMs: 200 },
  onRecovered: ({ key }, outcome) => say({ key, recovered: true, outcome }),
})
const turns = Array.from({ length: Number(count) }, (_, n) => Number(from) + n)
await Promise.all(
  turns.map(async (n) => {
    const key = `turn-${n}`
    // This line tells the test that the agent is about to record the turn.
    say({ key, begun: true })
    const turn = { user: { text: key }, assistant: { responses: [`answer to ${key}`] } }
    say({ key, outcome: await client.record(ids[n % ids.length] ?? '', turn, { key }) })
  }),
)
await client.settled()
await client.close()
