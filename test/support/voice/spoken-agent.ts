/**
 * A voice agent in a process of its own, with a journal in a file. It prints each step before it
 * takes it.
 */
import { writeSync } from 'node:fs'
import { createClient } from '../../../src/client/client.ts'
import { openFileJournal } from '../../../src/client/journal/file-journal.ts'
import { speak } from './spoken.ts'

const [url = '', path = '', conversation = ''] = process.argv.slice(2)

const client = createClient({
  url,
  journal: await openFileJournal(path),
  backoff: { firstMs: 5, maxMs: 50 },
})
await speak(client.voice(conversation, { sessionId: 'call' }), (step) => {
  writeSync(1, `${step}\n`)
})
await client.settled()
await client.close()
